// pool_mode::single: one connection for everything, which is what an in-memory database needs.

#include <catch2/catch_test_macros.hpp>
#include <map>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

PoolOptions in_memory() {
  PoolOptions options;
  options.in_memory = true;
  return options;
}

Pool open_with_migration(SteppedApp& app) {
  const EmbeddedFile create{"1_create.sql", "CREATE TABLE t(owner INTEGER, a INTEGER);"};
  app.state->db_instances.add_migrator("test", Migrator::from_files({&create, 1}));
  return app.open();
}

TEST_CASE("in memory: 32 coroutines read and write one database that the migrations have made") {
  SqlHook hook;
  SteppedApp app(hook.in(in_memory()));
  const Pool pool = open_with_migration(app);
  CHECK(pool.path() == ":memory:");
  CHECK(pool.stats().schema_version == 1);
  CHECK(pool.stats().readers.connections == 0);
  CHECK(pool.stats().writer.connections == 1);
  int wrong = 0;
  const auto work = [&](int owner) -> asio::awaitable<void> {
    for (int i = 1; i <= 20; ++i) {
      if (i % 4 == 0) {
        auto transaction = co_await pool.begin();
        co_await transaction.execute("INSERT INTO t VALUES (?, ?)", owner, i);
        co_await std::move(transaction).commit();
      } else {
        co_await pool.execute("INSERT INTO t VALUES (?, ?)", owner, i);
      }
      const auto mine = co_await pool.query_one<int>("SELECT count(*) FROM t WHERE owner = ?", owner);
      wrong += mine == i ? 0 : 1;
    }
  };
  std::vector<Task<void>> tasks;
  for (int owner = 0; owner < 32; ++owner) tasks.push_back(app.spawn(work(owner)));
  for (auto& task : tasks) app.finish(task);
  CHECK(wrong == 0);
  CHECK(count(app, pool) == 32 * 20);
  CHECK(std::filesystem::is_empty(app.dir.path()));
  check_all_clean(app, pool);
}

TEST_CASE("in memory: a day without a caller changes nothing") {
  SteppedApp app(in_memory());
  const Pool pool = open_with_migration(app);
  app.run(pool.execute("INSERT INTO t VALUES (1, 1)"));
  for (int hour = 0; hour < 25; ++hour) {
    app.clock->advance(1h);
    app.settle();
  }
  CHECK(count(app, pool) == 1);
  CHECK(pool.stats().state == database_state::ready);
  CHECK(app.log.count("", spdlog::level::warn) == 0);
}

TEST_CASE("in memory: gone at shutdown, without a trace") {
  SteppedApp app(in_memory());
  const Pool pool = open_with_migration(app);
  app.run(pool.execute("INSERT INTO t VALUES (1, 1)"));
  CHECK(app.run(app.state->shutdown()).clean());
  auto late = app.spawn(pool.query_one<int>("SELECT count(*) FROM t"));
  app.settle();
  CHECK(late.code() == errc::closed);
  CHECK(std::filesystem::is_empty(app.dir.path()));
}

TEST_CASE("single: reads refuse to write on the connection that could") {
  for (const bool memory : {true, false}) {
    PoolOptions options;
    options.mode = pool_mode::single;
    options.in_memory = memory;
    SteppedApp app(options);
    const Pool pool = open_with_migration(app);
    app.run(pool.execute("INSERT INTO t VALUES (1, 1)"));
    const auto code = [&](auto operation) {
      auto task = app.spawn(std::move(operation));
      app.settle();
      return task.code();
    };
    CHECK(code(pool.query_all<int>("DELETE FROM t RETURNING a")) == errc::write_on_reader);
    CHECK(code(pool.query_optional<int>("UPDATE t SET a = 2 RETURNING a")) == errc::write_on_reader);
    CHECK(code(pool.query_one<int>("INSERT INTO t VALUES (2, 2) RETURNING a")) == errc::write_on_reader);
    CHECK(code(pool.read([](Reader& db) { return db.query_all<int>("DELETE FROM t RETURNING a"); })) ==
          errc::write_on_reader);
    {
      auto lease = app.run(pool.acquire(reader));
      CHECK(code(lease.query_all<int>("DELETE FROM t RETURNING a")) == errc::write_on_reader);
      CHECK(code(lease.read([](Reader& db) { return db.query_all<int>("DELETE FROM t RETURNING a"); })) ==
            errc::write_on_reader);
    }
    CHECK(count(app, pool) == 1);
    // The same connection writes for those who may.
    CHECK(app.run(pool.execute_returning<int>("DELETE FROM t RETURNING a")) == std::vector{1});
    auto transaction = app.run(pool.begin());
    CHECK(app.run(transaction.query_all<int>("INSERT INTO t VALUES (3, 3) RETURNING a")) == std::vector{3});
    app.run(std::move(transaction).commit());
    check_all_clean(app, pool);
  }
}

TEST_CASE("single: readers and writers take turns in the order in which they came") {
  SteppedApp app(in_memory());
  const Pool pool = open_with_migration(app);
  std::string order;
  const auto note = [&](char name, auto operation) {
    return app.spawn([&order, name, work = std::move(operation)]() mutable -> asio::awaitable<void> {
      co_await std::move(work);
      order += name;
    });
  };
  auto transaction = app.run(pool.begin());
  const auto a = note('a', pool.query_one<int>("SELECT 1"));
  const auto b = note('b', pool.execute("INSERT INTO t VALUES (1, 1)"));
  const auto c = note('c', pool.acquire(reader));
  const auto d = note('d', pool.begin());
  const auto e = note('e', pool.read([](Reader& db) { return db.query_one<int>("SELECT count(*) FROM t"); }));
  app.settle();
  CHECK(order.empty());
  CHECK(pool.stats().writer.waiting == 5);
  app.run(std::move(transaction).rollback());
  app.settle();
  CHECK(order == "abcde");
}

TEST_CASE("single: the holder of a reader lease cannot deadlock itself unnoticed") {
  SteppedApp app(in_memory());
  const Pool pool = open_with_migration(app);
  auto lease = app.run(pool.acquire(reader));
  auto write = app.spawn(pool.execute("INSERT INTO t VALUES (1, 1)"));
  app.clock->advance(3s);
  app.settle();
  CHECK(write.code() == errc::acquire_timeout);
  CHECK(contains(write.text(), "held by acquire at single_mode_test.cpp:"));
}

}  // namespace
}  // namespace statehouse::test
