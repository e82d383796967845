// Options of one database in place of everybody's, and which pool a request is given.

#include <atomic>
#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

/// What a PRAGMA tells on the writer of `name`.
std::string setting(SteppedApp& app, const Pool& pool, const char* name) {
  const std::string sql = std::string("SELECT CAST(") + name + " AS TEXT) FROM pragma_" + name;
  const auto ask = [&](Connection& db) { return db.query_one<std::string>(sql); };
  return app.run(pool.write_without_transaction(ask));
}

TEST_CASE("configure: one database syncs every commit, the others do not") {
  SteppedApp app;
  PoolOptions options;
  options.connection.synchronous = durability::full;
  options.readers = 3;
  app.state->db_instances.configure("ledger", options);
  const Pool ledger = app.open("ledger");
  const Pool cache = app.open("cache");
  CHECK(setting(app, ledger, "synchronous") == "2");
  CHECK(setting(app, cache, "synchronous") == "1");
  CHECK(ledger.stats().readers.max_connections == 3);
}

TEST_CASE("configure: takes the place of the options of all, as a whole") {
  AppStateOptions all;
  all.pool.readers = 4;
  all.pool.connection.synchronous = durability::full;
  all.pool.connection.foreign_keys = false;
  SteppedApp app(all);
  app.state->db_instances.configure("x", PoolOptions{.readers = 2});
  const Pool x = app.open("x");
  CHECK(x.stats().readers.max_connections == 2);
  CHECK(setting(app, x, "synchronous") == "1");
  CHECK(setting(app, x, "foreign_keys") == "1");
  const Pool y = app.open("y");
  CHECK(y.stats().readers.max_connections == 4);
  CHECK(setting(app, y, "synchronous") == "2");
}

TEST_CASE("configure: the last call holds, for every spelling of the name, also before init") {
  SteppedApp app;
  DbInstances& databases = app.state->db_instances;
  databases.configure("x", PoolOptions{.readers = 4});
  databases.configure("x.db", PoolOptions{.readers = 1});
  CHECK(app.open("x").stats().readers.max_connections == 1);
}

TEST_CASE("configure: one database in memory beside files, and a file beside databases in memory") {
  const bool memory_for_all = GENERATE(false, true);
  AppStateOptions all;
  all.pool.in_memory = memory_for_all;
  SteppedApp app(all);
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  databases.configure("odd", PoolOptions{.in_memory = !memory_for_all});
  const auto odd_path = databases.db_path("odd");
  const auto other_path = databases.db_path("other");
  const Pool odd = app.open("odd");
  const Pool other = app.open("other");
  CHECK(odd.path() == odd_path);
  CHECK(other.path() == other_path);
  const Pool& memory = memory_for_all ? other : odd;
  const Pool& file = memory_for_all ? odd : other;
  CHECK(memory.path() == ":memory:");
  CHECK(std::filesystem::exists(file.path()));
  app.run(memory.execute("CREATE TABLE t(a)"));
  app.run(file.execute("CREATE TABLE t(a)"));
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(column(file.path(), "SELECT name FROM sqlite_schema") == std::vector<std::string>{"t"});
}

TEST_CASE("configure: too late is told so, and changes nothing") {
  SteppedApp app;
  DbInstances& databases = app.state->db_instances;
  app.run(app.state->init());
  const PoolOptions options{.readers = 1};
  SECTION("while it is being opened") {
    auto opening = app.spawn(databases.get_pool("x"));
    CHECK(code_of([&] { databases.configure("x", options); }) == errc::already_open);
    app.settle();
    CHECK(opening.get().stats().readers.max_connections >= 2);
  }
  SECTION("when it is open") {
    const Pool pool = app.open("x");
    const Error error = error_of([&] { databases.configure("x", options); });
    CHECK(error.code() == errc::already_open);
    CHECK(contains(error.what(), "call configure before the first get_pool"));
    CHECK_NOTHROW(databases.configure("y", options));
  }
  SECTION("after shutdown") {
    app.run(app.state->shutdown());
    CHECK(code_of([&] { databases.configure("x", options); }) == errc::closed);
  }
  SECTION("a bad name") {
    CHECK(code_of([&] { databases.configure("../x", options); }) == errc::invalid_name);
  }
}

TEST_CASE("configure: after an opening that failed the options may be corrected") {
  SteppedApp app;
  DbInstances& databases = app.state->db_instances;
  app.run(app.state->init());
  PoolOptions options;
  options.connection.on_connect = [](Connection&, connection_role) { throw std::runtime_error("no"); };
  databases.configure("x", options);
  auto failing = app.spawn(databases.get_pool("x"));
  app.settle();
  CHECK(failing.text() == "no");
  databases.configure("x", {});
  CHECK(app.open("x").name() == "x");
}

TEST_CASE("get_pool: an open database is given at once, after shutdown or when its file was replaced never again") {
  SteppedApp app;
  DbInstances& databases = app.state->db_instances;
  const Pool pool = app.open("x");
  auto again = app.spawn(databases.get_pool("x.db"));
  REQUIRE(again.done());
  CHECK(same(again.get(), pool));
  SECTION("shutdown") {
    auto shutdown = app.spawn(app.state->shutdown());  // has only begun
    auto late = app.spawn(databases.get_pool("x"));
    CHECK(late.code() == errc::closed);
    app.settle();
    CHECK(shutdown.done());
    CHECK(app.spawn(databases.get_pool("x")).code() == errc::closed);
  }
  SECTION("replaced") {
    std::filesystem::rename(pool.path(), pool.path().string() + ".old");
    app.clock->advance(1s);
    app.settle();
    CHECK(app.spawn(databases.get_pool("x")).code() == errc::file_replaced);
  }
}

TEST_CASE("get_pool: threads ask while databases are opened and shut down") {
  // callers                              another
  // get_pool: opens, or finds            (some time)
  // uses it                              shutdown
  // get_pool: closed, for ever
  // A look-up does not suspend, so one thread is left to the shutdown.
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    ThreadedApp app({}, 4);
    std::atomic<bool> shut{false};
    std::atomic<int> calls{0};
    std::atomic<int> wrong{0};
    const auto caller = [&](int id) -> asio::awaitable<void> {
      const std::string name = "db" + std::to_string(id % 3);
      for (;;) {
        const bool over = shut;
        try {
          const Pool pool = co_await app.state->db_instances.get_pool(name);
          wrong += over || pool.name() != name ? 1 : 0;
        } catch (const Error& error) {
          wrong += error.code() == errc::closed ? 0 : 1;
          co_return;
        }
        ++calls;
      }
    };
    std::vector<std::future<void>> callers;
    for (int id = 0; id < 3; ++id) callers.push_back(app.spawn(caller(id)));
    eventually([&] { return calls > 100 * round; });
    app.run(app.state->shutdown());
    shut = true;
    for (auto& one : callers) one.get();
    CHECK(wrong == 0);
  }
}

}  // namespace
}  // namespace statehouse::test
