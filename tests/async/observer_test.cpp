// What an observer is told, on which thread, and when.

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <mutex>
#include <thread>

#include "state_support.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

/// All that it is told. Each operation is numbered in the order of their beginnings, by what it leaves in `data`.
class Listener final : public Observer {
 public:
  struct Told {
    std::string database;
    connection_role connection{};
    operation_verb verb{};
    std::string sql;
    unsigned line = 0;
    std::thread::id began_on;
    int ends = 0;
    OperationOutcome outcome{};
  };

  void started(OperationInfo& operation) noexcept override {
    if (on_started) on_started();
    std::lock_guard lock(mutex_);
    if (operation.data != nullptr) ++wrong_;
    auto& one = told_.emplace_back(std::make_unique<Told>());
    *one = {std::string(operation.database), operation.connection,   operation.verb,
            std::string(operation.sql),      operation.where.line(), std::this_thread::get_id()};
    operation.data = one.get();
  }
  void finished(const OperationInfo& operation, const OperationOutcome& outcome) noexcept override {
    if (on_finished) on_finished();
    std::lock_guard lock(mutex_);
    auto* const one = static_cast<Told*>(operation.data);
    if (one == nullptr || one->verb != operation.verb || one->sql != operation.sql) return void(++wrong_);
    ++one->ends;
    one->outcome = outcome;
  }

  std::vector<Told> told() const {
    std::lock_guard lock(mutex_);
    CHECK(wrong_ == 0);
    std::vector<Told> all;
    for (const auto& one : told_) all.push_back(*one);
    return all;
  }
  /// The last that began, which has ended.
  Told last() const {
    const auto all = told();
    REQUIRE_FALSE(all.empty());
    CHECK(all.back().ends == 1);
    return all.back();
  }

  std::function<void()> on_started;
  std::function<void()> on_finished;

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Told>> told_;
  int wrong_ = 0;
};

/// A stepped pool with a table `t(a UNIQUE)`, one reader, and a listener that has heard nothing yet.
struct Observed {
  std::shared_ptr<Listener> listener;
  std::function<void()> hook = [] {};
  SteppedApp app;
  Pool pool;

  explicit Observed(PoolOptions options = {})
      : listener(std::make_shared<Listener>()), app(with(std::move(options))), pool(app.open("x")) {
    app.run(pool.execute("CREATE TABLE t(a UNIQUE)"));
    app.settle();
    before = listener->told().size();
  }
  AppStateOptions with(PoolOptions pool_options) {
    AppStateOptions options;
    options.pool = std::move(pool_options);
    options.pool.readers = 1;
    options.pool.connection.on_connect = with_hook(hook);
    options.observer = listener;
    return options;
  }
  std::vector<Listener::Told> told() const {
    auto all = listener->told();
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(before));
    return all;
  }

  std::size_t before = 0;
};

TEST_CASE_METHOD(Observed, "observer: told of the beginning at once, and of the end before the caller knows") {
  bool known = false;
  bool known_before = false;
  listener->on_finished = [&] { known_before = known; };
  const auto call = [&]() -> asio::awaitable<void> {
    co_await pool.execute("INSERT INTO t VALUES (?)", 1);
    known = true;
  };
  const unsigned line = __LINE__ - 3;
  app.spawn(call);
  const auto begun = told();
  REQUIRE(begun.size() == 1);
  CHECK(begun[0].ends == 0);
  CHECK(begun[0].database == "x");
  CHECK(begun[0].connection == connection_role::writer);
  CHECK(begun[0].verb == operation_verb::execute);
  CHECK(begun[0].sql == "INSERT INTO t VALUES (?)");
  CHECK(begun[0].line == line);
  hook = [] {};
  app.settle();
  CHECK(known);
  CHECK_FALSE(known_before);
  const auto ended = listener->last();
  CHECK(ended.outcome.error.empty());
  CHECK_FALSE(ended.outcome.code);
  CHECK(ended.outcome.batch_size == 1);
}

TEST_CASE_METHOD(Observed, "observer: the times are those of the histograms") {
  const auto before_waits = pool.stats().writer.wait_time();
  const auto before_runs = pool.stats().writer.run_time();
  hook = [&] { app.clock->advance(7ms); };
  auto task = app.spawn(pool.execute("INSERT INTO t SELECT hook()"));
  app.clock->advance(3ms);
  app.settle();
  task.get();
  const auto one = listener->last();
  CHECK(one.outcome.waited == 3ms);
  CHECK(one.outcome.ran == 7ms);
  CHECK(pool.stats().writer.wait_time() - before_waits == 3ms);
  CHECK(pool.stats().writer.run_time() - before_runs == 7ms);
}

TEST_CASE_METHOD(Observed, "observer: on the caller's thread it begins") {
  std::thread([&] {
    asio::io_context io;
    asio::co_spawn(io, pool.query_all<int>("SELECT a FROM t"), asio::detached);
    io.poll();
    CHECK(told().at(0).began_on == std::this_thread::get_id());
    while (told().at(0).ends == 0) app.step_db();
    io.poll();
  }).join();
}

TEST_CASE_METHOD(Observed, "observer: operations that share a commit say how many, reads and lone ones say one") {
  std::vector<Task<ExecuteResult>> writes;
  for (int i = 0; i < 3; ++i) writes.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", i)));
  auto reads = std::vector{app.spawn(pool.query_one<int>("SELECT count(*) FROM t")),
                           app.spawn(pool.query_one<int>("SELECT count(*) FROM t"))};
  app.settle();
  auto all = told();
  REQUIRE(all.size() == 5);
  for (std::size_t i = 0; i < 3; ++i) CHECK(all[i].outcome.batch_size == 3);
  for (std::size_t i = 3; i < 5; ++i) CHECK(all[i].outcome.batch_size == 1);
  // One takes all of it back, so that each runs once more by itself.
  for (int i = 10; i < 12; ++i) writes.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", i)));
  auto fails = app.spawn(pool.execute("INSERT OR ROLLBACK INTO t VALUES (10)"));
  app.settle();
  CHECK(fails.failed());
  all = told();
  REQUIRE(all.size() == 8);
  for (std::size_t i = 5; i < 8; ++i) CHECK(all[i].outcome.batch_size == 1);
  for (const auto& one : all) CHECK(one.ends == 1);
}

TEST_CASE_METHOD(Observed, "observer: an error is told by its code and by a name of a closed set") {
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  CHECK(app.code(pool.execute("INSERT INTO t VALUES (1)")) == condition::constraint);
  auto one = listener->last();
  CHECK(one.outcome.error == name_of(one.outcome.code));
  CHECK(one.outcome.code.value() == SQLITE_CONSTRAINT_UNIQUE);
  const auto throws = [](Connection&) { throw std::runtime_error("mine"); };
  CHECK_THROWS_AS(app.run(pool.write(throws)), std::runtime_error);
  one = listener->last();
  CHECK(one.outcome.error == "exception");
  CHECK_FALSE(one.outcome.code);
  CHECK(one.sql.empty());
  CHECK(one.verb == operation_verb::write);
}

TEST_CASE_METHOD(Observed, "observer: what never ran has ended, too: refused, cancelled, out of time, closed") {
  std::optional<Transaction> held(app.run(pool.begin()));
  const auto names = [&] {
    std::vector<std::string> result;
    for (const auto& one : told()) {
      CHECK(one.ends == (one.verb == operation_verb::begin || !one.outcome.error.empty() ? 1 : 0));
      if (one.ends == 1) result.emplace_back(one.outcome.error);
    }
    return result;
  };
  auto cancelled = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  auto late = app.spawn(pool.execute(CallOptions{.timeout = 5ms}, "INSERT INTO t VALUES (2)"));
  auto closed = app.spawn(pool.execute("INSERT INTO t VALUES (3)"));
  CHECK(names() == std::vector<std::string>{""});
  cancelled.cancel();
  app.settle();
  CHECK(names() == std::vector<std::string>{"", "operation_aborted"});
  app.clock->advance(5ms);
  app.settle();
  CHECK(names() == std::vector<std::string>{"", "operation_aborted", "acquire_timeout"});
  CHECK(told()[2].outcome.waited == 5ms);
  CHECK(told()[2].outcome.ran == 0ms);
  auto busy = app.spawn(held->query_one<int>("SELECT 1"));
  CHECK(app.code(held->query_one<int>("SELECT 2")) == errc::operation_in_progress);
  CHECK(told().back().outcome.error == "operation_in_progress");
  app.settle();
  held.reset();
  auto down = app.spawn(app.state->shutdown());
  app.settle();
  CHECK(app.code(pool.execute("INSERT INTO t VALUES (4)")) == errc::closed);
  for (const auto& one : told()) CHECK(one.ends == 1);
  CHECK(told().back().outcome.error == "closed");
}

TEST_CASE_METHOD(Observed,
                 "observer: a query on the calling thread, and one that is given up there, begin and end once") {
  constexpr CallOptions here{.inline_read = true};
  const auto many =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000) SELECT count(*) FROM c";
  app.run(pool.query_one<int>("SELECT 1"));
  app.run(pool.query_one<int>(many));
  before = listener->told().size();
  auto brief = app.spawn(pool.query_one<int>(here, "SELECT 1"));
  CHECK(brief.done());
  CHECK(listener->last().sql == "SELECT 1");
  CHECK(listener->last().outcome.error.empty());
  auto heavy = app.spawn(pool.query_one<int>(here, many));
  CHECK_FALSE(heavy.done());
  CHECK(told().back().ends == 0);
  app.settle();
  CHECK(heavy.get() == 5000);
  const auto all = told();
  CHECK(all.size() == 2);
  for (const auto& one : all) CHECK(one.ends == 1);
}

// caller                                  calling thread
// query_one                               started
//                                         hook(): cancels the caller; then gives up for taking long
// goes on with operation_aborted
TEST_CASE_METHOD(Observed, "observer: a query whose caller is cancelled while it is given up there has ended, too") {
  constexpr CallOptions here{.inline_read = true};
  const std::string_view many =
      "WITH RECURSIVE c(x) AS (SELECT hook() UNION ALL SELECT x + 1 FROM c WHERE x < 5000) SELECT count(*) FROM c";
  app.run(pool.query_one<int>(many));
  before = listener->told().size();
  std::string_view sql = many;
  const auto ask = [&]() -> asio::awaitable<int> {
    co_await asio::post(asio::deferred);  // Asio lets who was never suspended throw through its executor
    co_return co_await pool.query_one<int>(here, sql);
  };
  auto by_function = app.start(ask);
  hook = [&] { by_function.cancel(); };
  app.settle();
  CHECK(by_function.code() == boost::system::errc::operation_canceled);
  hook = [] {};
  sql = "SELECT 7";  // is not prepared anywhere, so nothing of it runs there
  auto by_observer = app.start(ask);
  listener->on_started = [&] { by_observer.cancel(); };
  app.settle();
  CHECK(by_observer.code() == boost::system::errc::operation_canceled);
  listener->on_started = nullptr;
  const auto all = told();
  CHECK(all.size() == 2);
  for (const auto& one : all) {
    CHECK(one.ends == 1);
    CHECK_FALSE(one.sql.empty());
    CHECK(one.outcome.error == "operation_aborted");
    CHECK(one.outcome.waited == 0ms);
    CHECK(one.outcome.ran == 0ms);
  }
  CHECK(app.run(pool.query_one<int>(here, "SELECT 7")) == 7);
}

TEST_CASE_METHOD(Observed,
                 "observer: what is done on a transaction and on a lease is told, and what the pool does itself") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t VALUES (1)"));
  app.run(std::move(transaction).commit());
  auto lease = app.run(pool.acquire(reader));
  app.run(lease.query_one<int>("SELECT 1"));
  std::vector<operation_verb> verbs;
  for (const auto& one : told()) {
    CHECK(one.ends == 1);
    verbs.push_back(one.verb);
  }
  CHECK(verbs == std::vector{operation_verb::begin, operation_verb::execute, operation_verb::commit,
                             operation_verb::acquire, operation_verb::query_one});
  app.clock->advance(24h);
  app.settle();
  CHECK(std::ranges::any_of(told(), [](const auto& one) { return one.verb == operation_verb::optimize; }));
}

TEST_CASE("observer: lives as long as anybody can ask the pool for something") {
  std::weak_ptr<Observer> weak;
  Pool pool;
  SteppedApp app([&] {
    AppStateOptions options;
    weak = options.observer = std::make_shared<Listener>();
    return options;
  }());
  pool = app.open("x");
  app.run(app.state->shutdown());
  app.state.reset();
  CHECK_FALSE(weak.expired());
  CHECK(app.code(pool.execute("SELECT 1")) == errc::closed);
  pool = {};
  CHECK(weak.expired());
}

}  // namespace
}  // namespace statehouse::test
