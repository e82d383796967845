#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <future>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* reminder = "destroyed while databases are open";

TEST_CASE("destructor: after a shutdown, before init, or with nothing open it has nothing to say") {
  SteppedApp app;
  SECTION("nothing was done") {}
  SECTION("initialised") {
    app.run(app.state->init());
  }
  SECTION("shut down") {
    app.open();
    app.run(app.state->shutdown());
  }
  SECTION("an opening has failed") {
    app.state->db_instances.add_migrator("x", migrations({"nonsense"}));
    app.run(app.state->init());
    auto failing = app.spawn(app.state->db_instances.get_pool("x"));
    app.settle();
    CHECK(failing.failed());
  }
  app.state.reset();
  CHECK(app.log.count(reminder) == 0);
  CHECK(open_descriptors(app.dir.path()) == 0);
}

TEST_CASE("destructor: without a shutdown it closes on its own thread, though nobody runs either executor") {
  // owner's thread                              database executor, io_context
  //                                             x and y are open; leases, a transaction and a statement in
  //                                             the queue, another opening is posted; then neither runs again
  // ~AppState: rolls back, closes all
  //                                             what waited is refused when io runs again
  SteppedApp app;
  const Pool x = app.open("x");
  const Pool y = app.open("y");
  app.run(x.execute("CREATE TABLE t(x)"));
  app.run(x.execute("INSERT INTO t VALUES (1)"));
  Transaction transaction = app.run(x.begin());
  app.run(transaction.execute("INSERT INTO t VALUES (2)"));
  ReaderLease lease = app.run(y.acquire(reader));
  auto on_lease = app.spawn(lease.query_all<int>("SELECT 1"));  // posted, not begun
  auto in_transaction = app.spawn(transaction.execute("INSERT INTO t VALUES (3)"));
  auto queued = app.spawn(x.execute("INSERT INTO t VALUES (4)"));   // behind the transaction
  auto scheduled = app.spawn(y.execute("CREATE TABLE never(x)"));   // its connection waits for a thread
  auto opening = app.spawn(app.state->db_instances.get_pool("z"));  // waits for a thread
  const DbInstances copy = app.state->db_instances;
  const bool stopped = GENERATE(false, true);
  if (stopped) {
    app.io.stop();
    app.db.stop();
  }
  app.state.reset();
  CHECK(app.log.count(reminder, spdlog::level::warn) == 1);
  CHECK(open_descriptors(app.dir.path()) == 0);
  check_closed(x.path());
  check_closed(y.path());
  CHECK_FALSE(fs::exists(app.dir / "z.db"));
  CHECK(column(x.path(), "SELECT x FROM t") == std::vector<std::string>{"1"});
  CHECK(value(y.path(), "SELECT count(*) FROM sqlite_schema") == "0");
  app.settle();  // late, but nobody is forgotten; and what was posted finds nothing to do
  for (auto code : {on_lease.code(), in_transaction.code(), queued.code(), scheduled.code(), opening.code()})
    CHECK(code == errc::closed);
  CHECK(app.spawn(x.execute("INSERT INTO t VALUES (5)")).code() == errc::closed);
  CHECK(app.spawn(copy.get_pool("x")).code() == errc::closed);
  CHECK(copy.stats().at(0).state == database_state::closed);
  CHECK(app.spawn(lease.query_all<int>("SELECT 1")).code() == errc::closed);
  CHECK(app.spawn(std::move(transaction).commit()).code() == errc::closed);
}

TEST_CASE("destructor: coroutines that still wait are resumed with an error, or destroyed with their io_context") {
  const bool run_again = GENERATE(true, false);
  struct Witness {
    std::vector<std::string>& ends;
    ~Witness() { ends.emplace_back("frame gone"); }
  };
  std::vector<std::string> ends;
  {
    SteppedApp app;
    const Pool pool = app.open("x");
    const auto holding = [&]() -> asio::awaitable<void> {
      const Witness witness{ends};
      Transaction transaction = co_await pool.begin();
      try {
        co_await transaction.execute("CREATE TABLE t(x)");
        co_await pool.execute("INSERT INTO t VALUES (1)");  // waits for itself
      } catch (const Error& error) {
        ends.emplace_back(error.code() == errc::closed ? "closed" : error.what());
      }
    };
    auto holder = app.spawn(holding);
    app.settle();
    app.state.reset();
    check_closed(pool.path());
    CHECK(ends.empty());
    if (run_again) {
      app.settle();
      CHECK(ends == std::vector<std::string>{"closed", "frame gone"});
    }
  }
  CHECK(ends.back() == "frame gone");
}

TEST_CASE("destructor: a shutdown that waits is over") {
  SteppedApp app;
  const Pool pool = app.open("x");
  const Transaction held = app.run(pool.begin());
  auto shutdown = app.spawn(app.state->shutdown());
  CHECK_FALSE(shutdown.done());
  app.state.reset();
  app.settle();
  CHECK(shutdown.get().clean());
  check_closed(pool.path());
}

TEST_CASE("destructor: a shutdown that is over may have left something open for it") {
  // callers (io)                                database thread (db, not running)
  // shutdown with a deadline of nothing: done, "x" is not closed
  // ~AppState: closes
  SteppedApp app;
  const Pool pool = app.open("x");
  auto shutdown = app.spawn(app.state->shutdown({.grace = 0ms, .deadline = 0ms}));
  while (app.step_io()) {
  }
  REQUIRE(shutdown.done());
  CHECK_FALSE(shutdown.get().clean());
  CHECK(open_descriptors(pool.path()) > 0);
  app.state.reset();
  check_closed(pool.path());
}

TEST_CASE(
    "destructor: an AppState in a coroutine's frame goes with it, by return, by exception, or with the io_context") {
  enum class end { returned, thrown, abandoned };
  const end how = GENERATE(end::returned, end::thrown, end::abandoned);
  const testing::TempDir dir;
  testing::LogCapture log;
  const auto service = [&]() -> asio::awaitable<void> {
    AppStateOptions options;
    options.data_dir = dir.path();
    options.database_threads = 2;
    options.logger = log.logger();
    AppState state(co_await asio::this_coro::executor, std::move(options));
    co_await state.init();
    const Pool pool = co_await state.db_instances.get_pool("x");
    co_await pool.execute("CREATE TABLE t(x)");
    co_await pool.execute("INSERT INTO t VALUES (1)");
    Transaction transaction = co_await pool.begin();
    co_await transaction.execute("INSERT INTO t VALUES (2)");
    if (how == end::thrown) throw std::runtime_error("on purpose");
    if (how == end::returned) co_return;
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  };
  bool thrown = false;
  {
    asio::io_context io;
    bool done = false;
    asio::co_spawn(io, service, [&](std::exception_ptr error) {
      done = true;
      thrown = error != nullptr;
    });
    if (how == end::abandoned) {
      while (log.count("opened x.db") == 0) io.run_one();
      io.run_for(100ms);  // however far that gets
    } else {
      io.run();
    }
    CHECK(done == (how != end::abandoned));
  }
  CHECK(thrown == (how == end::thrown));
  CHECK(log.count(reminder, spdlog::level::warn) == 1);
  check_closed(dir / "x.db");
  if (how != end::abandoned) CHECK(column(dir / "x.db", "SELECT x FROM t") == std::vector<std::string>{"1"});
}

TEST_CASE("destructor: what an io_context still holds of it may outlive the database threads") {
  // callers (io)                      database threads
  //                                   "first": its opening fails; the one thread is busy with "second"
  // "third" waits for a thread
  // ~AppState; then the io_context goes, with the frames of those who waited
  const testing::TempDir dir;
  testing::LogCapture log;
  std::promise<void> leave;
  {
    asio::io_context io;
    std::optional<AppState> state;
    AppStateOptions options;
    options.data_dir = dir.path();
    options.database_threads = 1;
    options.logger = log.logger();
    state.emplace(io.get_executor(), std::move(options));
    std::promise<void> busy;
    MigratorOptions blocking;
    blocking.on_progress = [&](const MigrationProgress&) {
      busy.set_value();
      leave.get_future().wait();
    };
    state->db_instances.add_migrator("first", migrations({"nonsense"}));
    state->db_instances.add_migrator("second", migrations({"CREATE TABLE t(x)"}, blocking));
    const DbInstances copy = state->db_instances;
    const auto get = [&](const char* name) -> asio::awaitable<void> { co_await copy.get_pool(name); };
    Spawner spawner;
    auto init = spawner(io.get_executor(), state->init());
    io.run();
    init.get();
    auto first = spawner(io.get_executor(), [&] { return get("first"); });
    io.restart();
    io.run();
    CHECK(first.code() == errc::migration_failed);
    auto second = spawner(io.get_executor(), [&] { return get("second"); });
    auto third = spawner(io.get_executor(), [&] { return get("third"); });
    io.restart();
    io.poll();
    busy.get_future().wait();
    std::thread later([&] {
      eventually([&] { return log.count(reminder) == 1; });
      leave.set_value();
    });
    state.reset();
    later.join();
    CHECK_FALSE(third.done());
  }
  check_closed(dir / "second.db");
}

TEST_CASE("destructor: a running closure holds it up for about two seconds, no longer, and finishes undisturbed") {
  // owner's thread                              database thread
  //                                             the closure of write is in C++
  // ~AppState: waits, gives up, says so
  //                                             the closure returns: committed, closed
  ThreadedApp app;
  const Pool pool = app.open("x");
  const Pool other = app.open("other");
  app.run(pool.execute("CREATE TABLE t(x)"));
  std::promise<void> running;
  std::promise<void> leave;
  auto work = [&](Connection& db) {
    running.set_value();
    leave.get_future().wait();
    static_cast<void>(db.native());  // still a connection
    return 7;
  };
  auto writing = app.spawn(pool.write(work));
  running.get_future().wait();
  const auto began = std::chrono::steady_clock::now();
  app.state.reset();
  const auto took = std::chrono::steady_clock::now() - began;
  CHECK(took >= 1900ms);
  CHECK(took < patience);
  CHECK(app.log.count("there still runs write at ", spdlog::level::err) == 1);
  check_closed(other.path());
  CHECK(open_descriptors(pool.path()) > 0);
  leave.set_value();
  CHECK(writing.get() == 7);
  CHECK(eventually([&] { return open_descriptors(pool.path()) == 0; }));
  check_closed(pool.path());
}

/// Whether the destructor has waited for their end; after two seconds it does so no longer.
bool interrupts_statements() {
  ThreadedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  std::promise<void> writing;
  std::promise<void> reading;
  auto write = [&](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    writing.set_value();
    db.query_one<int>(endless);
  };
  auto read = [&](Reader& db) {
    reading.set_value();
    db.query_one<int>(endless);
  };
  auto writer_end = app.spawn(pool.write(write));
  auto reader_end = app.spawn(pool.read(read));
  writing.get_future().wait();
  reading.get_future().wait();
  app.state.reset();
  CHECK(code_of([&] { writer_end.get(); }) == errc::closed);
  CHECK(code_of([&] { reader_end.get(); }) == errc::closed);
  if (app.log.count("are left to it") > 0) return false;
  check_closed(pool.path());
  CHECK(value(pool.path(), "SELECT count(*) FROM t") == "0");
  return true;
}

TEST_CASE("destructor: statements that do not end are interrupted, and their callers are told") {
  // On a busy machine two seconds may pass before a database thread has had its turn.
  bool in_time = false;
  for (int attempt = 0; attempt < 5 && !in_time; ++attempt) in_time = interrupts_statements();
  CHECK(in_time);
}

}  // namespace
}  // namespace statehouse::test
