// More databases than connections: who needs one has another database put to sleep, or waits in turn.

#include <sys/resource.h>

#include <catch2/generators/catch_generators.hpp>

#include "child_process.hpp"
#include "sanitized.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

AppStateOptions with_connections(std::size_t most) {
  AppStateOptions options;
  options.max_open_connections = most;
  options.pool.readers = 2;
  return options;
}

/// Databases "0", "1", ... with a table t each, and so many connections for all of them.
class Crowd : public SteppedApp {
 public:
  explicit Crowd(std::size_t connections, int databases = 0, AppStateOptions options = {})
      : SteppedApp(limited(std::move(options), connections)) {
    run(state->init());
    for (int i = 0; i < databases; ++i) pools.push_back(open_one(std::to_string(i)));
  }
  Pool open_one(const std::string& name) {
    state->db_instances.add_migrator(name, migrations({"CREATE TABLE t(a)"}));
    return run(state->db_instances.get_pool(name));
  }
  void insert(const Pool& pool) { run(pool.execute("INSERT INTO t VALUES (1)")); }
  int rows(const Pool& pool) { return run(pool.query_one<int>("SELECT count(*) FROM t")); }
  bool asleep(const Pool& pool) { return pool.stats().state == database_state::asleep; }
  std::size_t connections() {
    std::size_t count = 0;
    for (const DatabaseStats& stats : state->db_instances.stats())
      count += stats.writer.connections + stats.readers.connections;
    return count;
  }
  std::vector<int> awake() {
    std::vector<int> found;
    for (std::size_t i = 0; i < pools.size(); ++i)
      if (!asleep(pools[i])) found.push_back(static_cast<int>(i));
    return found;
  }
  bool end() { return run(state->shutdown()).clean(); }

  std::vector<Pool> pools;

 private:
  static AppStateOptions limited(AppStateOptions options, std::size_t connections) {
    options.max_open_connections = connections;
    options.pool.readers = 2;
    return options;
  }
};

TEST_CASE(
    "budget: at the limit the database that was not used for the longest time falls asleep, and wakes for its next "
    "user") {
  Crowd app(3, 3);
  app.clock->advance(1s);
  for (const int i : {0, 2, 1}) {
    app.insert(app.pools[std::size_t(i)]);
    app.clock->advance(10ms);
  }
  app.pools.push_back(app.open_one("3"));
  CHECK(app.awake() == std::vector<int>{1, 2, 3});
  app.clock->advance(10ms);
  app.insert(app.pools[0]);
  CHECK(app.awake().size() == 3);
  CHECK_FALSE(app.asleep(app.pools[0]));
  CHECK(app.connections() <= 3);
  for (const Pool& pool : app.pools)
    CHECK(app.rows(pool) == (same(pool, app.pools[0]) ? 2 : same(pool, app.pools[3]) ? 0 : 1));
  CHECK(app.end());
}

TEST_CASE("budget: one connection serves all databases in turn, reads and writes of the same one too") {
  Crowd app(1, 4);
  for (int round = 1; round <= 3; ++round)
    for (const Pool& pool : app.pools) {
      app.insert(pool);
      CHECK(app.rows(pool) == round);
      CHECK(app.connections() == 1);
    }
  app.run([&]() -> asio::awaitable<void> {
    Transaction transaction = co_await app.pools[0].begin();
    co_await transaction.execute("INSERT INTO t VALUES (1)");
    co_await std::move(transaction).commit();
  });
  CHECK(app.rows(app.pools[0]) == 4);
  CHECK(app.end());
}

TEST_CASE("budget: where all connections are in use who needs one waits in turn, within his timeout") {
  Crowd app(1, 2);
  std::optional<Transaction> held = app.run(app.pools[0].begin());
  auto first = app.spawn(app.pools[1].query_one<int>("SELECT count(*) FROM t"));
  auto second = app.spawn(app.pools[0].query_one<int>({.timeout = 10s}, "SELECT count(*) FROM t"));
  app.settle();
  CHECK_FALSE(first.done());
  app.clock->advance(3s);
  app.settle();
  CHECK(first.code() == errc::acquire_timeout);
  CHECK(contains(first.text(), "all 1 connections of max_open_connections are taken"));
  CHECK_FALSE(second.done());
  auto third = app.spawn(app.pools[1].query_one<int>("SELECT count(*) FROM t"));
  app.settle();
  held.reset();
  app.settle();
  CHECK(second.get() == 0);
  CHECK(third.get() == 0);
  CHECK(app.connections() <= 1);
  CHECK(app.end());
}

TEST_CASE("budget: an opening waits in turn, for as long as one waits for a connection, and says why it gave up") {
  const bool frees_in_time = GENERATE(true, false);
  Crowd app(1, 1);
  std::optional<Transaction> held = app.run(app.pools[0].begin());
  app.state->db_instances.add_migrator("new", migrations({"CREATE TABLE t(a)"}));
  auto opening = app.spawn(app.state->db_instances.get_pool("new"));
  auto hurried = app.spawn(app.state->db_instances.get_pool("new", {.timeout = 1s}));
  app.settle();
  app.clock->advance(1s);
  app.settle();
  CHECK(hurried.code() == errc::acquire_timeout);
  CHECK_FALSE(opening.done());
  CHECK(app.state->db_instances.health().databases.at(1).reason == health_reason::opening);
  if (frees_in_time) {
    held.reset();
    app.settle();
    CHECK(app.rows(opening.get()) == 0);
  } else {
    app.clock->advance(2s);
    app.settle();
    CHECK(opening.code() == errc::acquire_timeout);
    CHECK(contains(opening.text(), "all 1 connections of max_open_connections are taken"));
    held.reset();
    app.settle();  // what it would have had is nobody's
    CHECK(app.rows(app.run(app.state->db_instances.get_pool("new"))) == 0);
    CHECK(app.rows(app.pools[0]) == 0);
  }
  CHECK(app.end());
}

TEST_CASE("budget: who waits for a connection can be cancelled, closed and shut down, and takes none with him") {
  const std::string how = GENERATE("cancelled", "closed", "shut down", "destroyed");
  const bool opens = GENERATE(false, true);
  CAPTURE(how, opens);
  Crowd app(1, 2);
  std::optional<Transaction> held = app.run(app.pools[0].begin());
  DbInstances& databases = app.state->db_instances;
  const std::string name = opens ? "new" : "1";
  const auto use = [&]() -> asio::awaitable<void> {
    const Pool pool = co_await databases.get_pool(name);
    co_await pool.execute("CREATE TABLE IF NOT EXISTS t(a)");
  };
  auto waits = app.spawn(use);
  app.settle();
  CHECK_FALSE(waits.done());
  if (how == "cancelled") waits.cancel();
  if (how == "closed") CHECK(app.run(databases.close(name)).clean());
  if (how == "shut down") held.reset();
  if (how == "shut down") CHECK(app.end());
  if (how == "destroyed") app.state.reset();
  app.settle();
  if (how == "cancelled") {
    CHECK(waits.code() == boost::system::errc::operation_canceled);
  } else if (how != "shut down") {
    CHECK(waits.code() == errc::closed);
  }
  REQUIRE(waits.done());
  held.reset();
  app.settle();
  if (how == "shut down" || how == "destroyed") return;
  app.run(use);
  app.insert(app.pools[0]);
  CHECK(app.end());
}

TEST_CASE("budget: of one database the idle reader gives way to the writer, and others to a second reader") {
  Crowd app(2, 1);
  const Pool& pool = app.pools[0];
  app.open_readers(pool, 1);
  CHECK(app.connections() == 2);  // the writer, and a reader
  std::optional<ReaderLease> one = app.run(pool.acquire(reader));
  std::optional<ReaderLease> two = app.run(pool.acquire(reader));  // in place of the writer
  CHECK(pool.stats().writer.connections == 0);
  auto write = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  app.settle();
  CHECK_FALSE(write.done());
  one.reset();
  app.settle();
  CHECK(write.get().changes == 1);
  CHECK(app.run(two->query_one<int>("SELECT count(*) FROM t")) == 1);
  two.reset();
  CHECK(app.end());
  check_closed(app.dir / "0.db");
}

TEST_CASE("budget: databases in memory do not count, and one that must stay open is not closed for others") {
  Crowd app(1);
  PoolOptions in_memory;
  in_memory.in_memory = true;
  app.state->db_instances.configure("m", in_memory);
  PoolOptions exclusive;
  exclusive.connection.exclusive = true;
  exclusive.mode = pool_mode::single;
  app.state->db_instances.configure("e", exclusive);
  const Pool m = app.open_one("m");
  const Pool e = app.open_one("e");
  app.insert(m);
  app.insert(e);
  auto late = app.spawn(app.state->db_instances.get_pool("late"));
  app.settle();
  app.clock->advance(3s);
  app.settle();
  CHECK(late.code() == errc::acquire_timeout);
  CHECK(app.rows(m) == 1);
  CHECK(app.rows(e) == 1);
  CHECK(app.end());
}

TEST_CASE("budget: an opening that fails gives its connection back") {
  Crowd app(1);
  app.state->db_instances.add_migrator("bad", migrations({"nonsense"}));
  for (int i = 0; i < 3; ++i) CHECK(app.code(app.state->db_instances.get_pool("bad")) == errc::migration_failed);
  app.insert(app.open_one("good"));
  CHECK(app.end());
}

TEST_CASE("budget: a database that cannot wake gives its connection back") {
  Crowd app(1, 2);
  REQUIRE(app.asleep(app.pools[0]));
  std::filesystem::rename(app.dir / "0.db", app.dir / "elsewhere");
  for (int i = 0; i < 3; ++i) CHECK(app.code(app.pools[0].query_one<int>("SELECT 1")) == errc::file_replaced);
  app.insert(app.pools[1]);
  std::filesystem::rename(app.dir / "elsewhere", app.dir / "0.db");
  app.insert(app.pools[0]);
  CHECK(app.end());
}

TEST_CASE("budget: databases that are never idle give way to each other") {
  // Each has more in its queue than it can do, for as long as the other has not had its turn.
  AppStateOptions options = with_connections(1);
  options.database_threads = 2;
  ThreadedApp app(std::move(options), 2);
  for (const char* const name : {"a", "b"})
    app.state->db_instances.add_migrator(name, migrations({"CREATE TABLE t(x)"}));
  const Pool a = app.open("a");
  const Pool b = app.open("b");
  std::atomic<int> a_done{0};
  std::atomic<int> b_done{0};
  const auto write = [&](const Pool& pool, std::atomic<int>& own,
                         const std::atomic<int>& other) -> asio::awaitable<void> {
    while (own < 1000 || other < 1000) {
      co_await pool.execute("INSERT INTO t VALUES (1)");
      ++own;
    }
  };
  std::vector<std::future<void>> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(app.spawn(write(a, a_done, b_done)));
    all.push_back(app.spawn(write(b, b_done, a_done)));
  }
  for (auto& one : all) one.get();
  CHECK(app.run(a.query_one<int>("SELECT count(*) FROM t")) == a_done);
  CHECK(app.run(b.query_one<int>("SELECT count(*) FROM t")) == b_done);
  CHECK(app.run(app.state->shutdown()).clean());
}

TEST_CASE("budget: many databases, few connections, callers at once: all are served, and no descriptor more is open") {
  constexpr int databases = 40;
  constexpr std::size_t connections = 6;
  AppStateOptions options = with_connections(connections);
  options.database_threads = 3;
  ThreadedApp app(std::move(options), 2);
  for (int i = 0; i < databases; ++i)
    app.state->db_instances.add_migrator(std::to_string(i), migrations({"CREATE TABLE t(a)"}));
  const auto caller = [&](int first) -> asio::awaitable<void> {
    for (int i = 0; i < 3 * databases; ++i) {
      const Pool pool = co_await app.state->db_instances.get_pool(std::to_string((first + 7 * i) % databases));
      co_await pool.execute("INSERT INTO t VALUES (1)");
      co_await pool.query_one<int>("SELECT count(*) FROM t");
    }
  };
  std::vector<std::future<void>> all;
  for (int i = 0; i < 8; ++i) all.push_back(app.spawn(caller(5 * i)));
  for (auto& one : all) one.get();
  // Of a connection that is closed beside another of the same file SQLite keeps the descriptor, for that one's sake.
  CHECK(open_descriptors(app.dir.path()) <= 4 * connections);
  CHECK(app.run(app.state->shutdown()).clean());
  int rows = 0;
  for (int i = 0; i < databases; ++i)
    rows += std::stoi(value(app.dir / (std::to_string(i) + ".db"), "SELECT count(*) FROM t"));
  CHECK(rows == 8 * 3 * databases);
}

TEST_CASE("budget: where the descriptors of the process run out others fall asleep, whatever the limit") {
  if (sanitized) SKIP("the sanitizers need descriptors themselves");
  CHECK(in_child([]() -> std::string {
          ThreadedApp app(with_connections(1000), 1);
          rlimit limit{};
          ::getrlimit(RLIMIT_NOFILE, &limit);
          const int next = ::dup(STDERR_FILENO);
          ::close(next);
          limit.rlim_cur = static_cast<rlim_t>(next) + 30;
          if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return "no limit";
          for (int round = 0; round < 2; ++round)
            for (int i = 0; i < 40; ++i) {
              const Pool pool = app.open(std::to_string(i));
              app.run(pool.execute("CREATE TABLE IF NOT EXISTS t(a)"));
              app.run(pool.query_all<int>("SELECT a FROM t"));
            }
          return app.run(app.state->shutdown()).clean() ? "all served" : "not clean";
        }) == "all served");
}

TEST_CASE("budget: it is a quarter of the limit of open files unless it is given") {
  CHECK(in_child([]() -> std::string {
          rlimit limit{};
          ::getrlimit(RLIMIT_NOFILE, &limit);
          limit.rlim_cur = 80;
          if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return "no limit";
          SteppedApp app;
          for (int i = 0; i < 40; ++i) app.open(std::to_string(i));
          std::size_t open = 0;
          for (const DatabaseStats& stats : app.state->db_instances.stats()) open += stats.writer.connections;
          return std::to_string(open);
        }) == "20");
}

}  // namespace
}  // namespace statehouse::test
