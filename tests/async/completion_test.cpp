// Where, when and how often a caller is resumed, and what becomes of an operation whose caller is not there any more.

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "error_of.hpp"
#include "eventually.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

/// An io_context's executor that counts what is posted to it and the work it is told of.
class Tracker {
 public:
  struct Counts {
    int posted = 0;
    int work = 0;
  };

  Tracker(asio::io_context& context, Counts& counts) noexcept : Tracker(context.get_executor(), counts, false) {}
  Tracker(const Tracker& other) noexcept : Tracker(other.inner_, *other.counts_, other.tracked_) {}
  ~Tracker() { counts_->work -= tracked_ ? 1 : 0; }
  Tracker& operator=(const Tracker&) = delete;

  asio::execution_context& query(asio::execution::context_t) const noexcept { return inner_.context(); }
  Tracker require(asio::execution::blocking_t::never_t property) const {
    return {asio::require(inner_, property), *counts_, tracked_};
  }
  Tracker require(asio::execution::blocking_t::possibly_t property) const {
    return {asio::require(inner_, property), *counts_, tracked_};
  }
  Tracker require(asio::execution::outstanding_work_t::tracked_t) const { return {inner_, *counts_, true}; }
  Tracker require(asio::execution::outstanding_work_t::untracked_t) const { return {inner_, *counts_, false}; }

  template <class F>
  void execute(F&& function) const {
    ++counts_->posted;
    inner_.execute(std::forward<F>(function));
  }

  friend bool operator==(const Tracker& a, const Tracker& b) noexcept {
    return a.inner_ == b.inner_ && a.counts_ == b.counts_;
  }
  friend bool operator!=(const Tracker& a, const Tracker& b) noexcept { return !(a == b); }

 private:
  using Inner = asio::io_context::executor_type;
  Tracker(const Inner& inner, Counts& counts, bool tracked) noexcept
      : inner_(inner), counts_(&counts), tracked_(tracked) {
    counts_->work += tracked_ ? 1 : 0;
  }

  Inner inner_;
  Counts* counts_;
  bool tracked_;
};

struct Completion {
  SqlHook hook;
  SteppedApp app{hook.in(one_reader())};
  Pool pool = app.open();
  Spawner spawn_elsewhere;

  Completion() { app.run(pool.execute("CREATE TABLE t(a)")); }
  static PoolOptions one_reader() {
    PoolOptions options;
    options.readers = 1;
    return options;
  }
  std::vector<int> rows() { return app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")); }
};

TEST_CASE_METHOD(Completion,
                 "completion: posted to the caller's executor, which counts work until then and not after") {
  Tracker::Counts counts;
  const auto run = [&](auto operation) {
    counts.posted = 0;
    const int idle = counts.work;
    auto task = spawn_elsewhere(asio::any_io_executor(Tracker(app.io, counts)), std::move(operation));
    while (app.step_io()) {
    }
    const int posted_before = counts.posted;
    const int waiting = counts.work;
    app.settle();
    CHECK(task.completions() == 1);
    CHECK(counts.work == idle);
    return std::pair(counts.posted - posted_before, waiting - idle);
  };
  const auto [posted, work] = run(pool.execute("INSERT INTO t VALUES (1)"));
  CHECK(posted >= 1);
  CHECK(work >= 1);
  CHECK(run(pool.query_one<int>("SELECT 1")).second >= 1);
  CHECK(run(pool.read([](Reader&) {})).second >= 1);
  CHECK(run(pool.begin()).second >= 1);
  // Refused at once: through a post all the same.
  run(pool.query_one<int>("SELECT nonsense"));
  run(app.run(pool.acquire(reader)).query_one<int>("SELECT 1"));  // the lease is gone by then
}

TEST_CASE_METHOD(Completion, "completion: never inside the call that causes it, neither for success nor for refusal") {
  // Every way an operation can end while something of ours is on the stack: the submission, a release, a cancellation,
  // the clock, shutdown. The caller must not have been resumed when that returns.
  auto lease = app.run(pool.acquire(writer));
  auto waiting = app.spawn(pool.acquire(writer));
  lease.release();
  CHECK(!waiting.done());
  auto second = app.finish(waiting);
  auto expires = app.spawn(pool.execute({.timeout = 1s}, "INSERT INTO t VALUES (1)"));
  app.clock->advance(1s);
  CHECK(!expires.done());
  auto cancelled = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  cancelled.cancel();
  CHECK(!cancelled.done());
  auto refused = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  const asio::awaitable<ShutdownReport> unused = app.state->shutdown();  // not awaited: nothing happens
  app.state.reset();
  CHECK(!refused.done());
  app.settle();
  CHECK(expires.code() == errc::acquire_timeout);
  CHECK(cancelled.code() == boost::system::error_code(ECANCELED, boost::system::system_category()));
  CHECK(refused.code() == errc::closed);
}

TEST_CASE_METHOD(
    Completion, "completion: io_context::run does not return while an operation is pending, and does when it is done") {
  for (int i = 0; i < 2; ++i) {
    auto task = i == 0
                    ? app.spawn([&]() -> asio::awaitable<void> { co_await pool.execute("INSERT INTO t VALUES (1)"); })
                    : app.spawn([&]() -> asio::awaitable<void> { co_await pool.begin(); });
    app.io.restart();
    app.io.poll();
    CHECK(!app.io.stopped());  // run() would wait
    while (app.step_db()) {
    }
    app.io.run();
    CHECK(app.io.stopped());
    CHECK(task.completions() == 1);
    app.settle();
  }
}

TEST_CASE_METHOD(Completion, "completion: on a strand, if the caller is on one") {
  const auto strand = asio::make_strand(app.io);
  int off_strand = 0;
  auto task = spawn_elsewhere(strand, [&]() -> asio::awaitable<void> {
    const auto check = [&] { off_strand += strand.running_in_this_thread() ? 0 : 1; };
    co_await pool.execute("INSERT INTO t VALUES (1)");
    check();
    auto transaction = co_await pool.begin();
    check();
    co_await transaction.execute("INSERT INTO t VALUES (2)");
    check();
    co_await std::move(transaction).commit();
    check();
    auto lease = co_await pool.acquire(reader);
    check();
    co_await lease.query_one<int>("SELECT 1");
    check();
    try {
      co_await pool.execute("nonsense");
    } catch (const Error&) {
    }
    check();
  });
  app.finish(task);
  CHECK(off_strand == 0);
}

TEST_CASE_METHOD(Completion, "an operation that is never awaited does nothing") {
  {
    const auto never = pool.execute("INSERT INTO t VALUES (?)", std::string(100, 'x'));
    const auto begun = pool.begin();
  }
  app.settle();
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

/// A caller whose io_context is destroyed while its completion lies there, not run.
struct Abandoned : Completion {
  std::optional<asio::io_context> callers{std::in_place};

  template <class Work>
  auto start(Work work) {
    auto task = spawn_elsewhere(callers->get_executor(), std::move(work));
    while (SteppedApp::step(*callers)) {
    }
    return task;
  }
  void abandon() {
    callers.reset();
    callers.emplace();
  }
};

TEST_CASE_METHOD(Abandoned, "caller gone: a completion that is never run gives the connection back") {
  //   caller                            database thread                 next
  //   begin: submitted                                                  waits
  //                                     BEGIN IMMEDIATE, posts
  //   its io_context is destroyed
  //                                     ROLLBACK
  //                                                                     runs
  const auto begins = start(pool.begin());
  app.step_db();
  CHECK(pool.stats().writer.in_use == 1);
  auto next = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  abandon();
  CHECK(begins.completions() == 0);
  CHECK(app.finish(next).changes == 1);
  check_all_clean(app, pool);

  // Acquired at once, and by direct hand-off.
  auto lease = app.run(pool.acquire(writer));
  start(pool.acquire(writer));
  lease.release();
  CHECK(pool.stats().writer.in_use == 1);
  abandon();
  CHECK(pool.stats().writer.in_use == 0);
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (2)")).changes == 1);

  // Done, but nobody is there to hear it.
  start(pool.execute("INSERT INTO t VALUES (3)"));
  start(pool.query_one<std::string>("SELECT printf('%.*c', 1000, 'x')"));
  while (app.step_db()) {
  }
  abandon();
  CHECK(rows() == std::vector{1, 2, 3});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Abandoned, "caller gone: what its coroutine held is rolled back and given back") {
  const auto task = start([&]() -> asio::awaitable<void> {
    auto lease = co_await pool.acquire(reader);
    auto transaction = co_await pool.begin();
    co_await transaction.execute("INSERT INTO t VALUES (1)");
    co_await transaction.execute("INSERT INTO t VALUES (2)");
  });
  while (pool.stats().holders.size() < 2) {
    app.step_db();
    SteppedApp::step(*callers);
  }
  app.step_db();
  SteppedApp::step(*callers);
  app.step_db();  // the second INSERT is done, its completion not run
  abandon();
  CHECK(task.completions() == 0);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Completion, "AppState gone: whoever waits or holds hears errc::closed, exactly once") {
  auto holder = app.run(pool.begin());
  auto queued = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  auto queued_begin = app.spawn(pool.begin());
  auto on_lease = app.spawn(holder.execute("INSERT INTO t VALUES (2)"));
  auto scheduled = app.spawn(pool.query_one<int>("SELECT 1"));
  app.state.reset();
  app.settle();
  for (auto* task : {&queued, &on_lease}) {
    CHECK(task->completions() == 1);
    CHECK(task->code() == errc::closed);
  }
  CHECK(queued_begin.code() == errc::closed);
  CHECK(scheduled.code() == errc::closed);
}

TEST_CASE_METHOD(
    Completion,
    "AppState gone, then the callers' io_context with everything still in it: nothing leaks, nothing hangs") {
  auto holder = app.run(pool.begin());
  const auto queued = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  const auto queued_begin = app.spawn(pool.begin());
  const auto on_lease = app.spawn(holder.execute("INSERT INTO t VALUES (2)"));
  const auto reads = app.spawn([&]() -> asio::awaitable<void> {
    auto lease = co_await pool.acquire(reader);
    co_await lease.query_one<int>("SELECT 1");
    co_await pool.begin();
  });
  app.state.reset();
  CHECK(queued.completions() == 0);
  // `app` goes now: the contexts with the completions in them, and the coroutines with those.
}

/// Everything on real threads, as a server has it.
struct Server {
  testing::TempDir dir;
  testing::LogCapture log;
  asio::io_context io;
  AppState state{io.get_executor(), options()};

  AppStateOptions options() {
    AppStateOptions result;
    result.data_dir = dir.path();
    result.logger = log.logger();
    result.database_threads = 2;
    result.pool.acquire_timeout = patience;
    return result;
  }
};

TEST_CASE("callers on a thread_pool: resumed on its threads, never on a database thread") {
  Server server;
  asio::thread_pool callers(2);
  std::mutex mutex;
  std::set<std::thread::id> caller_threads;
  std::set<std::thread::id> database_threads;
  const auto work = [&]() -> asio::awaitable<void> {
    const auto note = [&](std::set<std::thread::id>& threads) {
      std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    };
    const Pool pool = co_await server.state.db_instances.get_pool("test");
    for (int i = 0; i < 50; ++i) {
      co_await pool.write([&](Connection&) { note(database_threads); });
      note(caller_threads);
      co_await pool.query_one<int>("SELECT 1");
      note(caller_threads);
      auto transaction = co_await pool.begin();
      note(caller_threads);
      co_await std::move(transaction).commit();
      note(caller_threads);
    }
  };
  asio::co_spawn(callers, server.state.init(), asio::use_future).get();
  std::vector<std::future<void>> done;
  for (int i = 0; i < 4; ++i) done.push_back(asio::co_spawn(callers, work, asio::use_future));
  for (auto& future : done) future.get();
  CHECK(asio::co_spawn(callers, server.state.shutdown(), asio::use_future).get().clean());
  callers.join();
  CHECK(caller_threads.size() <= 2);
  CHECK(database_threads.size() <= 2);
  for (const auto& thread : database_threads) CHECK(!caller_threads.contains(thread));
  CHECK(!caller_threads.contains(std::this_thread::get_id()));
}

TEST_CASE("statements: run on database threads only, and a writer's transaction never begins without IMMEDIATE") {
  struct Trace {
    std::mutex mutex;
    std::map<connection_role, std::multiset<std::string>> begins;
    std::set<std::thread::id> threads;
    int steps = 0;
  } trace;
  testing::TempDir dir;
  asio::io_context io;
  AppStateOptions options;
  options.data_dir = dir.path();
  options.database_threads = 2;
  options.logger = testing::LogCapture().logger();
  std::pair<Trace*, connection_role> contexts[] = {{&trace, connection_role::reader},
                                                   {&trace, connection_role::writer}};
  options.pool.connection.on_connect = [&](Connection& connection, connection_role role) {
    // Called when a statement begins and for each of its rows.
    const auto note = [](unsigned event, void* context, void* statement, void* text) {
      auto& [trace_, role_] = *static_cast<std::pair<Trace*, connection_role>*>(context);
      std::lock_guard lock(trace_->mutex);
      trace_->threads.insert(std::this_thread::get_id());
      ++trace_->steps;
      static_cast<void>(statement);
      if (const std::string sql = event == SQLITE_TRACE_STMT ? static_cast<const char*>(text) : "";
          sql.starts_with("BEGIN"))
        trace_->begins[role_].insert(sql);
      return 0;
    };
    sqlite3_trace_v2(connection.native().getHandle(), SQLITE_TRACE_STMT | SQLITE_TRACE_ROW, note,
                     &contexts[role == connection_role::writer]);
  };
  AppState state(io.get_executor(), options);
  const auto every_verb = [&]() -> asio::awaitable<void> {
    co_await state.init();
    const Pool pool = co_await state.db_instances.get_pool("test");
    co_await pool.execute("CREATE TABLE t(a)");
    co_await pool.execute_returning<int>("INSERT INTO t VALUES (1) RETURNING a");
    co_await pool.query_all<int>("SELECT a FROM t");
    co_await pool.query_optional<int>("SELECT a FROM t");
    co_await pool.query_one<int>("SELECT a FROM t");
    co_await pool.read([](Reader& db) { return db.query_one<int>("SELECT a FROM t"); });
    co_await pool.write([](Connection& db) { db.execute("INSERT INTO t VALUES (2)"); });
    co_await pool.write_without_transaction([](Connection& db) { db.execute("VACUUM"); });
    auto transaction = co_await pool.begin();
    co_await transaction.execute("INSERT INTO t VALUES (3)");
    co_await transaction.savepoint([](Connection& db) { db.execute("INSERT INTO t VALUES (4)"); });
    co_await std::move(transaction).commit();
    { auto dropped = co_await pool.begin(); }
    auto lease = co_await pool.acquire(writer);
    co_await lease.execute("INSERT INTO t VALUES (5)");
    co_await lease.write([](Connection& db) { db.execute("INSERT INTO t VALUES (6)"); });
    co_await lease.read([](Reader& db) { return db.query_one<int>("SELECT count(*) FROM t"); });
    lease.release();
    auto reading = co_await pool.acquire(reader);
    co_await reading.query_one<int>("SELECT count(*) FROM t");
    co_await reading.read([](Reader& db) { return db.query_one<int>("SELECT count(*) FROM t"); });
    reading.release();
    co_await state.shutdown();
  };
  auto done = asio::co_spawn(io, every_verb, asio::use_future);
  io.run();
  done.get();
  CHECK(trace.steps > 30);
  CHECK(!trace.threads.contains(std::this_thread::get_id()));
  CHECK(trace.threads.size() <= 2);
  CHECK(trace.begins[connection_role::writer].count("BEGIN IMMEDIATE") >= 4);
  CHECK(trace.begins[connection_role::writer].count("BEGIN IMMEDIATE") +
            trace.begins[connection_role::writer].count("BEGIN") ==
        trace.begins[connection_role::writer].size());
  // The one is the snapshot of WriterLease::read, which writes nothing.
  CHECK(trace.begins[connection_role::writer].count("BEGIN") == 1);
  CHECK(trace.begins[connection_role::reader].count("BEGIN") == trace.begins[connection_role::reader].size());
}

}  // namespace
}  // namespace statehouse::test
