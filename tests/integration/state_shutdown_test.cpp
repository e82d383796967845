#include <catch2/generators/catch_generators.hpp>

#include "state_support.hpp"
#include "telling_executor.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr ShutdownOptions limits{.grace = 1s, .deadline = 3s};

AppStateOptions two_readers() {
  AppStateOptions options;
  options.pool.readers = 2;
  return options;
}

/// Everything says "closed", and nothing comes back.
void check_refused(SteppedApp& app, const std::string& name) {
  const DbInstances& databases = app.state->db_instances;
  auto get = app.spawn(databases.get_pool(name));
  auto init = app.spawn(app.state->init());
  app.settle();
  CHECK(get.code() == errc::closed);
  CHECK(get.code() == condition::closed);
  CHECK(init.code() == errc::closed);
  CHECK_FALSE(databases.try_get_pool(name).has_value());
  CHECK(code_of([&] { app.state->db_instances.add_migrator(name, migrations({})); }) == errc::closed);
  CHECK(databases.names().empty());
  CHECK(open_descriptors(app.dir.path()) == 0);
}

TEST_CASE("shutdown: nothing to do, before init, or twice, is a clean report") {
  SteppedApp app;
  SECTION("before init") {
    const ShutdownReport report = app.run(app.state->shutdown());
    CHECK(report.clean());
    CHECK(report.databases.empty());
    check_refused(app, "x");
    CHECK(fs::is_empty(app.dir.path()));
  }
  SECTION("nothing was ever opened") {
    app.run(app.state->init());
    app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
    const ShutdownReport report = app.run(app.state->shutdown());
    CHECK(report.clean());
    CHECK(report.databases.empty());
    check_refused(app, "x");
    CHECK(app.state->db_instances.db_path("x") == fs::canonical(app.dir.path()) / "x.db");
  }
  SECTION("twice") {
    const Pool pool = app.open("x");
    app.run(pool.execute("CREATE TABLE t(x)"));
    CHECK(app.run(app.state->shutdown()).clean());
    const ShutdownReport again = app.run(app.state->shutdown());
    CHECK(again.clean());
    REQUIRE(again.databases.size() == 1);
    CHECK(again.databases[0].name == "x");
    CHECK_FALSE(again.databases[0].interrupted);
    CHECK(app.log.count("closed in") == 1);
    check_refused(app, "x");
    check_closed(app.dir / "x.db");
  }
}

TEST_CASE("shutdown: every database is closed, readers before the writer, and the pool answers closed") {
  SteppedApp app(two_readers());
  const Pool a = app.open("a");
  const Pool b = app.open("b");
  for (const Pool& pool : {a, b}) {
    app.run(pool.execute("CREATE TABLE t(x)"));
    app.run(pool.execute("INSERT INTO t VALUES (1)"));
    app.run(pool.query_all<int>("SELECT x FROM t"));
  }
  auto lease = app.run(a.acquire(reader));
  lease.release();
  const ShutdownReport report = app.run(app.state->shutdown(limits));
  CHECK(report.clean());
  REQUIRE(report.databases.size() == 2);
  for (const auto& database : report.databases) {
    CHECK(database.closed);
    CHECK_FALSE(database.interrupted);
    CHECK(database.holders.empty());
  }
  for (const Pool& pool : {a, b}) {
    check_closed(pool.path());
    CHECK(value(pool.path(), "SELECT x FROM t") == "1");
    CHECK(app.spawn(pool.execute("INSERT INTO t VALUES (2)")).code() == errc::closed);
    CHECK(app.spawn(pool.query_all<int>("SELECT x FROM t")).code() == errc::closed);
    CHECK(app.spawn(pool.begin()).code() == errc::closed);
    CHECK(app.spawn(pool.acquire(reader)).code() == errc::closed);
    CHECK(app.spawn(pool.acquire(writer)).code() == errc::closed);
    auto write = [](Connection&) {};
    CHECK(app.spawn(pool.write(write)).code() == errc::closed);
    auto read = [](Reader&) {};
    CHECK(app.spawn(pool.read(read)).code() == errc::closed);
    CHECK(pool.stats().state == database_state::closed);
  }
  CHECK(app.spawn(lease.query_all<int>("SELECT 1")).code() == errc::transaction_finished);
  check_refused(app, "a");
  app.clock->advance(1h);
  app.settle();
  CHECK(app.clock->armed() == 0);
  CHECK(app.log.count("closed in") == 2);
}

TEST_CASE("shutdown: an opening that waits for a thread never begins") {
  // callers (io)                                database thread (db)
  // get_pool("x")                               (the strand may post the opening; then busy elsewhere)
  // shutdown: both are done
  //                                             finds that it is not wanted
  const bool posted = GENERATE(false, true);
  SteppedApp app;
  app.run(app.state->init());
  auto first = app.spawn(app.state->db_instances.get_pool("x"));
  auto second = app.spawn(app.state->db_instances.get_pool("x"));
  if (posted) CHECK(app.step_db());
  auto shutdown = app.spawn(app.state->shutdown(limits));
  while (app.step_io()) {
  }
  CHECK(first.code() == errc::closed);
  CHECK(second.code() == errc::closed);
  REQUIRE(shutdown.done());
  CHECK(shutdown.get().clean());
  app.settle();
  CHECK(first.completions() == 1);
  check_refused(app, "x");
  CHECK(fs::is_empty(app.dir.path()));
}

TEST_CASE("shutdown: an opening that runs may finish within the grace time, and is closed at once") {
  // database thread (db)                        callers (io)
  //                                             get_pool("x")
  // migrates                                    shutdown begins; the caller is refused
  // is done, sees the shutdown, closes
  //                                             shutdown is done
  SteppedApp app;
  std::optional<Task<Pool>> caller;
  std::optional<Task<ShutdownReport>> shutdown;
  bool refused_at_once = false;
  MigratorOptions options;
  options.on_progress = [&](const MigrationProgress&) {
    shutdown = app.spawn(app.state->shutdown(limits));
    app.settle();
    refused_at_once = caller->done() && !shutdown->done();
  };
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}, options));
  app.run(app.state->init());
  caller = app.spawn(app.state->db_instances.get_pool("x"));
  app.settle();
  CHECK(refused_at_once);
  CHECK(caller->code() == errc::closed);
  const ShutdownReport report = app.finish(*shutdown);
  CHECK(report.clean());
  REQUIRE(report.databases.size() == 1);
  CHECK_FALSE(report.databases[0].interrupted);
  check_closed(app.dir / "x.db");
  CHECK(value(app.dir / "x.db", "SELECT count(*) FROM t") == "0");
  check_refused(app, "x");
}

TEST_CASE("shutdown: a migration that does not end is interrupted after the grace time") {
  // database thread (db)                        clock, callers (io)
  // runs an endless statement                   shutdown begins
  //                                             the grace time passes: interrupt
  // stops, rolls back, closes
  //                                             shutdown is done before its deadline
  std::function<void()> hook;
  AppStateOptions options = two_readers();
  options.pool.connection.on_connect = with_hook(hook);
  SteppedApp app(std::move(options));
  std::optional<Task<ShutdownReport>> shutdown;
  hook = [&] {
    shutdown = app.spawn(app.state->shutdown(limits));
    app.settle();
    app.clock->advance(limits.grace);
  };
  const std::string script = "CREATE TABLE t(x); SELECT hook(); " + std::string(endless);
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE before(x)", script}));
  app.run(app.state->init());
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  app.settle();
  CHECK(caller.code() == errc::closed);
  const ShutdownReport report = app.finish(*shutdown);
  CHECK(report.clean());
  CHECK(app.log.count("'x': opening failed", spdlog::level::err) == 1);
  check_refused(app, "x");
  check_closed(app.dir / "x.db");
  CHECK(column(app.dir / "x.db", "SELECT name FROM sqlite_schema WHERE name IN ('t', 'before')") ==
        std::vector<std::string>{"before"});
}

TEST_CASE("shutdown: an opening that cannot be stopped is reported at the deadline and closes by itself later") {
  // database thread (db)                        clock, callers (io)
  // a callback in C++ blocks                    shutdown begins; grace and deadline pass
  //                                             shutdown is done: "x" is not closed
  // the callback returns: closes
  SteppedApp app;
  std::optional<ShutdownReport> report;
  MigratorOptions options;
  options.on_progress = [&](const MigrationProgress&) {
    auto shutdown = app.spawn(app.state->shutdown(limits));
    app.clock->advance(limits.grace);
    app.clock->advance(limits.deadline - limits.grace);
    app.settle();
    if (shutdown.done()) report = shutdown.get();
  };
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}, options));
  app.run(app.state->init());
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  app.settle();
  CHECK(caller.code() == errc::closed);
  REQUIRE(report.has_value());
  CHECK_FALSE(report->clean());
  REQUIRE(report->databases.size() == 1);
  CHECK(report->databases[0].name == "x");
  CHECK_FALSE(report->databases[0].closed);
  CHECK(report->databases[0].interrupted);
  check_closed(app.dir / "x.db");
  check_refused(app, "x");
}

TEST_CASE("shutdown: callers whose opening is over but who have not resumed get a closed pool") {
  // database thread (db)      callers (io)            another thread (other)
  //                           get_pool("x")
  // the strand; opened: resumption posted
  //                                                   shutdown begins
  //                           resumes with the pool
  //                           execute: closed
  SteppedApp app;
  app.run(app.state->init());
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  CHECK(app.step_db());
  CHECK(app.step_db());
  Spawner spawner;
  asio::io_context other;
  auto shutdown = spawner(other.get_executor(), app.state->shutdown(limits));
  other.poll();
  CHECK_FALSE(caller.done());
  while (app.step_io()) {
  }
  const Pool pool = caller.get();
  CHECK(app.spawn(pool.execute("CREATE TABLE t(x)")).code() == errc::closed);
  app.settle();
  other.restart();
  other.poll();
  CHECK(shutdown.get().clean());
  check_refused(app, "x");
  check_closed(app.dir / "x.db");
}

TEST_CASE("shutdown: what waits is refused at once, what runs may finish and is kept") {
  // database thread (db)                        callers (io)
  //                                             write; execute, query_all wait behind or beside it
  // the closure of write runs                   shutdown begins: the two that wait are refused
  // commits, closes
  //                                             write and shutdown are done
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  std::optional<Task<ExecuteResult>> queued;
  std::optional<Task<std::vector<int>>> reading;
  std::optional<Task<ShutdownReport>> shutdown;
  bool refused_at_once = false;
  auto work = [&](Connection& db) {
    shutdown = app.spawn(app.state->shutdown(limits));
    while (app.step_io()) {
    }
    refused_at_once = queued->done() && reading->done() && !shutdown->done();
    db.execute("INSERT INTO t VALUES (1)");
  };
  auto running = app.spawn(pool.write(work));
  queued = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
  reading = app.spawn(pool.query_all<int>("SELECT x FROM t"));
  app.settle();
  CHECK(refused_at_once);
  CHECK(queued->code() == errc::closed);
  CHECK(reading->code() == errc::closed);
  running.get();
  const ShutdownReport report = app.finish(*shutdown);
  CHECK(report.clean());
  CHECK_FALSE(report.databases.at(0).interrupted);
  check_closed(pool.path());
  CHECK(column(pool.path(), "SELECT x FROM t") == std::vector<std::string>{"1"});
}

TEST_CASE("shutdown: a statement that does not end is interrupted after the grace time and rolled back") {
  std::function<void()> hook;
  AppStateOptions options = two_readers();
  options.pool.connection.on_connect = with_hook(hook);
  SteppedApp app(std::move(options));
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  std::optional<Task<ShutdownReport>> shutdown;
  hook = [&] {
    shutdown = app.spawn(app.state->shutdown(limits));
    app.settle();
    app.clock->advance(limits.grace);
  };
  const bool writes = GENERATE(true, false);
  auto write = [](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    db.query_one<int>("SELECT hook()");
    db.query_one<int>(endless);
  };
  auto read = [](Reader& db) {
    db.query_one<int>("SELECT hook()");
    db.query_one<int>(endless);
  };
  auto running = app.spawn(writes ? pool.write(write) : pool.read(read));
  app.settle();
  CHECK(running.code() == errc::closed);
  const ShutdownReport report = app.finish(*shutdown);
  CHECK(report.clean());
  REQUIRE(report.databases.size() == 1);
  CHECK(report.databases[0].interrupted);
  check_closed(pool.path());
  CHECK(value(pool.path(), "SELECT count(*) FROM t") == "0");
}

TEST_CASE(
    "shutdown: a closure that cannot be stopped is named at the deadline, and its database closes by itself later") {
  // database thread (db)                        clock, callers (io)
  // the closure of write is in C++              shutdown begins; grace, then deadline pass
  //                                             shutdown is done, naming the closure
  // the closure returns: committed, closed
  //                                             the caller has its result
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  const Pool other = app.open("other");
  app.run(pool.execute("CREATE TABLE t(x)"));
  std::optional<ShutdownReport> report;
  bool before_deadline = true;
  auto work = [&](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    auto shutdown = app.spawn(app.state->shutdown(limits));
    app.clock->advance(limits.grace);
    app.clock->advance(limits.deadline - limits.grace - 1ms);
    app.settle();
    before_deadline = shutdown.done();
    app.clock->advance(1ms);
    app.settle();
    if (shutdown.done()) report = shutdown.get();
    return 7;
  };
  const auto line = std::source_location::current().line() + 1;
  auto running = app.spawn(pool.write(work));
  app.settle();
  CHECK_FALSE(before_deadline);
  REQUIRE(report.has_value());
  CHECK_FALSE(report->clean());
  REQUIRE(report->databases.size() == 2);
  CHECK(report->databases[0].name == "other");
  CHECK(report->databases[0].closed);
  CHECK_FALSE(report->databases[0].interrupted);
  CHECK_FALSE(report->databases[1].closed);
  CHECK(report->databases[1].interrupted);
  REQUIRE(report->databases[1].holders.size() == 1);
  const Holder& holder = report->databases[1].holders[0];
  CHECK(holder.role == connection_role::writer);
  CHECK(holder.verb == "write");
  CHECK(holder.where == "state_shutdown_test.cpp:" + std::to_string(line));
  CHECK(holder.held_for == limits.deadline);
  CHECK(holder.running);
  CHECK(running.get() == 7);  // it had nothing left to interrupt: done and committed is success
  check_closed(pool.path());
  CHECK(value(pool.path(), "SELECT x FROM t") == "1");
  const ShutdownReport later = app.run(app.state->shutdown());
  CHECK(later.clean());
  CHECK(app.log.count("'x': closed in") == 1);
}

TEST_CASE("shutdown: a held connection may be used and given back within the grace time") {
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  std::optional<Transaction> transaction(app.run(pool.begin()));
  std::optional<ReaderLease> lease(app.run(pool.acquire(reader)));
  app.run(transaction->execute("INSERT INTO t VALUES (1)"));
  auto shutdown = app.spawn(app.state->shutdown(limits));
  app.clock->advance(limits.grace - 1ms);
  app.settle();
  CHECK_FALSE(shutdown.done());
  app.run(transaction->execute("INSERT INTO t VALUES (2)"));
  app.run(lease->query_all<int>("SELECT x FROM t"));
  app.run(std::move(*transaction).commit());
  app.settle();
  CHECK_FALSE(shutdown.done());
  lease.reset();
  const ShutdownReport report = app.finish(shutdown);
  CHECK(report.clean());
  CHECK_FALSE(report.databases.at(0).interrupted);
  check_closed(pool.path());
  CHECK(column(pool.path(), "SELECT x FROM t") == std::vector<std::string>{"1", "2"});
}

TEST_CASE("shutdown: a connection held beyond the grace time is taken back, its transaction rolled back") {
  const bool uses_it = GENERATE(false, true);  // with a statement posted to the database thread at that moment
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  Transaction transaction = app.run(pool.begin());
  ReaderLease lease = app.run(pool.acquire(reader));
  app.run(transaction.execute("INSERT INTO t VALUES (2)"));
  auto shutdown = app.spawn(app.state->shutdown(limits));
  std::optional<Task<ExecuteResult>> posted;
  if (uses_it) posted = app.spawn(transaction.execute("INSERT INTO t VALUES (3)"));
  app.clock->advance(limits.grace);
  const ShutdownReport report = app.finish(shutdown);
  CHECK(report.clean());
  CHECK(report.databases.at(0).interrupted);
  CHECK(report.databases.at(0).holders.empty());
  if (uses_it) CHECK(posted->code() == errc::closed);
  check_closed(pool.path());
  CHECK(column(pool.path(), "SELECT x FROM t") == std::vector<std::string>{"1"});
  CHECK(app.spawn(transaction.execute("INSERT INTO t VALUES (4)")).code() == errc::closed);
  CHECK(app.spawn(lease.query_all<int>("SELECT x FROM t")).code() == errc::closed);
  CHECK(app.spawn(std::move(transaction).commit()).code() == errc::closed);
  app.settle();
}

TEST_CASE("shutdown: of two callers the earliest grace and deadline count, in either order") {
  const bool hurried_first = GENERATE(true, false);
  const ShutdownOptions hurried{.grace = 1s, .deadline = 2s};
  const ShutdownOptions patient{.grace = 10s, .deadline = 20s};
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  const Transaction held = app.run(pool.begin());
  auto first = app.spawn(app.state->shutdown(hurried_first ? hurried : patient));
  auto second = app.spawn(app.state->shutdown(hurried_first ? patient : hurried));
  app.clock->advance(hurried.grace - 1ms);
  app.settle();
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  app.clock->advance(1ms);
  app.settle();
  REQUIRE(first.done());
  REQUIRE(second.done());
  for (auto* report : {&first, &second}) {
    const ShutdownReport result = report->get();
    CHECK(result.clean());
    CHECK(result.databases.at(0).interrupted);
    CHECK(result.databases.at(0).took == hurried.grace);
  }
  check_closed(pool.path());
}

TEST_CASE("shutdown: a later caller can cut an earlier one short, down to nothing") {
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  const Transaction held = app.run(pool.begin());
  auto patient = app.spawn(app.state->shutdown({.grace = 10s, .deadline = 20s}));
  app.clock->advance(3s);
  app.settle();
  CHECK_FALSE(patient.done());
  auto at_once = app.spawn(app.state->shutdown({.grace = 0ms, .deadline = 1s}));
  app.settle();
  CHECK(patient.get().clean());
  CHECK(at_once.get().clean());
  check_closed(pool.path());
}

TEST_CASE("shutdown: a grace time beyond the deadline ends at the deadline, and limits may be endless") {
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  std::optional<Transaction> held(app.run(pool.begin()));
  SECTION("grace beyond the deadline") {
    auto shutdown = app.spawn(app.state->shutdown({.grace = 10s, .deadline = 2s}));
    app.clock->advance(2s);
    app.settle();
    CHECK(shutdown.done());
  }
  SECTION("the longest durations there are") {
    auto shutdown = app.spawn(
        app.state->shutdown({.grace = std::chrono::milliseconds::max(), .deadline = std::chrono::milliseconds::max()}));
    app.clock->advance(24h);
    app.settle();
    CHECK_FALSE(shutdown.done());
    held.reset();
    app.settle();
    CHECK(shutdown.get().clean());
  }
}

TEST_CASE("shutdown: cancelling the caller does not cancel the shutdown") {
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  const Transaction held = app.run(pool.begin());
  const auto closing = [&]() -> asio::awaitable<ShutdownReport> {
    ShutdownReport report = co_await app.state->shutdown(limits);
    co_return report;
  };
  auto shutdown = app.spawn(closing);
  shutdown.cancel();
  app.settle();
  CHECK_FALSE(shutdown.done());
  app.clock->advance(limits.grace);
  app.settle();
  CHECK(shutdown.get().clean());
  check_closed(pool.path());
}

TEST_CASE("shutdown: a statement that a closure has left alive does not keep the file open") {
  SteppedApp app(two_readers());
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  auto leak = [](Connection& db) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(db.native().getHandle(), "SELECT 'leaked' FROM t", -1, &statement, nullptr);
    sqlite3_step(statement);
  };
  app.run(pool.write(leak));
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(app.log.count("a statement was still alive at close", spdlog::level::warn) == 1);
  CHECK(app.log.count("SELECT 'leaked' FROM t", spdlog::level::debug) == 1);
  check_closed(pool.path());
}

TEST_CASE("shutdown: a second, impatient caller may come before the first has closed the pools") {
  // caller a                                    caller b (grace 0)
  // shutdown: refuses the waiter of "a"
  //                                             shutdown: the grace time is over
  // closes the pool of "x"
  // the statement posted on a lease of "x" is refused, not completed without having run
  SteppedApp app;
  const Pool pool = app.open("x");
  WriterLease lease = app.run(pool.acquire(writer));
  auto posted = app.spawn(lease.execute_returning<int>("SELECT 1"));

  std::function<void()> tell = [] {};
  Spawner spawner;
  auto waiting = spawner(asio::any_io_executor(TellingExecutor{&app.io, &tell}), app.state->db_instances.get_pool("a"));
  while (app.step_io()) {
  }
  asio::io_context other;
  std::optional<Task<ShutdownReport>> impatient;
  tell = [&] {
    if (impatient) return;
    impatient = spawner(other.get_executor(), app.state->shutdown({.grace = 0ms, .deadline = 1s}));
    other.poll();
  };
  auto patient = app.spawn(app.state->shutdown(limits));
  app.settle();
  CHECK(waiting.code() == errc::closed);
  CHECK(posted.code() == errc::closed);
  CHECK(patient.get().clean());
  other.restart();
  other.poll();
  REQUIRE(impatient.has_value());
  CHECK(impatient->get().clean());
  check_closed(pool.path());
}

TEST_CASE("shutdown: a logger that asks the databases how they are does not hang it") {
  struct Curious final : spdlog::sinks::base_sink<std::mutex> {
    SteppedApp* app = nullptr;
    std::size_t asked = 0;

   private:
    void sink_it_(const spdlog::details::log_msg&) override {
      if (app == nullptr || !app->state) return;
      asked += app->state->db_instances.stats().size() + app->state->db_instances.names().size();
    }
    void flush_() override {}
  };
  auto sink = std::make_shared<Curious>();
  SteppedApp app;
  app.state.reset();
  AppStateOptions options;
  options.data_dir = app.dir.path();
  options.database_executor = app.db.get_executor();
  options.clock = app.clock;
  options.logger = std::make_shared<spdlog::logger>("curious", sink);
  app.state.emplace(app.io.get_executor(), std::move(options));
  sink->app = &app;
  app.open("x");
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(sink->asked > 0);
  app.state.reset();
}

}  // namespace
}  // namespace statehouse::test
