#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <future>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cluster_fixture.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

AppStateOptions on(const ClusterFixture& cluster) {
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.cluster.nodes = cluster.addresses();
  options.pool.cluster.dial_timeout = 5s;
  return options;
}

TEST_CASE("cluster: values of every type come back as they were given") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster));
  const Pool pool = app.open();
  CHECK(pool.path().empty());
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, r REAL, s TEXT, b BLOB) STRICT");
    const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}};
    const auto first =
        co_await pool.execute("INSERT INTO t(i, r, s, b) VALUES (?, ?, ?, ?)", std::numeric_limits<std::int64_t>::min(),
                              1.5, "gr\xC3\xBC\xC3\x9F", bytes);
    CHECK(first.changes == 1);
    CHECK(first.last_insert_rowid == 1);
    co_await pool.execute("INSERT INTO t(i, r, s, b) VALUES (NULL, NULL, NULL, NULL)");
    using Row = std::tuple<std::optional<std::int64_t>, std::optional<double>, std::optional<std::string>,
                           std::optional<std::vector<std::byte>>>;
    const auto rows = co_await pool.query_all<Row>("SELECT i, r, s, b FROM t ORDER BY id");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == Row{std::numeric_limits<std::int64_t>::min(), 1.5, "gr\xC3\xBC\xC3\x9F", bytes});
    CHECK(rows[1] == Row{});
    const auto none = co_await pool.execute("UPDATE t SET i = 1 WHERE id = 99");
    CHECK(none.changes == 0);
    CHECK(none.last_insert_rowid == 0);
    const auto created = co_await pool.execute("CREATE TABLE u(a)");
    CHECK(created.changes == 0);
  });
}

TEST_CASE("cluster: many rows come in several parts, all of them and in order") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster));
  const Pool pool = app.open();
  app.run([&]() -> asio::awaitable<void> {
    const auto numbers = co_await pool.query_all<std::int64_t>(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT x FROM c");
    REQUIRE(numbers.size() == 20000);
    for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(numbers[i] == static_cast<std::int64_t>(i) + 1);
    const std::string large(3 << 20, 'x');
    const auto back = co_await pool.query_one<std::string>("SELECT ?", large);
    CHECK(back == large);
  });
}

TEST_CASE("cluster: errors of SQL are those of a file, and leave the connection usable") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster));
  Pool pool = app.open();
  const auto code = [&](std::string sql) {
    return code_of([&] { app.run([&]() -> asio::awaitable<void> { co_await pool.execute(sql); }); });
  };
  app.run([&]() -> asio::awaitable<void> { co_await pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"); });
  app.run([&]() -> asio::awaitable<void> { co_await pool.execute("INSERT INTO t VALUES (1)"); });
  CHECK(code("INSERT INTO t VALUES (1)") == condition::unique);
  CHECK(code("INSERT INTO nowhere VALUES (1)") == make_sqlite_error(SQLITE_ERROR));
  CHECK(code("INSERT INTO t VALUES (2) RETURNING a") == errc::not_supported);
  CHECK(code("CREATE TABLE u(done BOOLEAN)") == errc::not_supported);
  CHECK(code("INSERT INTO t VALUES (?)") == errc::parameter_count);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 1);
}

TEST_CASE("cluster: a closure's transaction is kept as a whole, or not at all") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster));
  Pool pool = app.open();
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
    co_await pool.write([](Connection& db) {
      db.execute("INSERT INTO t VALUES (1)");
      CHECK_THROWS(db.savepoint([&] {
        db.execute("INSERT INTO t VALUES (2)");
        throw std::runtime_error("inner");
      }));
      db.savepoint([&] { db.execute("INSERT INTO t VALUES (3)"); });
    });
  });
  CHECK(app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{1, 3});
  CHECK_THROWS(app.run(pool.write([](Connection& db) {
    db.execute("INSERT INTO t VALUES (4)");
    throw std::runtime_error("outer");
  })));
  // OR ROLLBACK ends the transaction inside of the node, of which no answer tells.
  const auto ended = code_of([&] {
    app.run(pool.write([](Connection& db) {
      db.execute("INSERT INTO t VALUES (5)");
      try {
        db.execute("INSERT OR ROLLBACK INTO t VALUES (1)");
      } catch (const Error& error) {
        CHECK(error.code() == condition::unique);
      }
      db.execute("INSERT INTO t VALUES (6)");  // must not be kept alone
    }));
  });
  CHECK(ended == errc::transaction_rolled_back);
  CHECK(app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{1, 3});
}

TEST_CASE("cluster: a transaction that spans awaits, and a reader's snapshot beside it") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster));
  const Pool pool = app.open();
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
    auto tx = co_await pool.begin();
    co_await tx.execute("INSERT INTO t VALUES (1)");
    const int own = co_await tx.query_one<int>("SELECT count(*) FROM t");
    const int before = co_await pool.query_one<int>("SELECT count(*) FROM t");
    co_await std::move(tx).commit();
    const int after = co_await pool.query_one<int>("SELECT count(*) FROM t");
    CHECK(own == 1);
    CHECK(before == 0);
    CHECK(after == 1);
    {
      auto dropped = co_await pool.begin();
      co_await dropped.execute("INSERT INTO t VALUES (2)");
    }
    const int last = co_await pool.query_one<int>("SELECT count(*) FROM t");
    CHECK(last == 1);
  });
}

TEST_CASE("cluster: many writes at once share transactions, and each has its own outcome") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster), 4);
  Pool pool = app.open();
  app.run([&]() -> asio::awaitable<void> { co_await pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"); });
  std::vector<std::future<ExecuteResult>> writes;
  for (int i = 0; i < 200; ++i) writes.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", i % 150)));
  int failed = 0;
  for (auto& write : writes) {
    try {
      const ExecuteResult result = write.get();
      CHECK(result.changes == 1);
    } catch (const Error& error) {
      CHECK(error.code() == condition::unique);
      ++failed;
    }
  }
  CHECK(failed == 50);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 150);
}

TEST_CASE("cluster: a deferred foreign key that one write violates is not made good by another of its group") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster), 4);
  Pool pool = app.open();
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute("CREATE TABLE a(id INTEGER PRIMARY KEY) STRICT");
    co_await pool.execute("CREATE TABLE b(a INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED) STRICT");
  });
  std::vector<std::future<ExecuteResult>> children;
  std::vector<std::future<ExecuteResult>> parents;
  for (int i = 0; i < 20; ++i) {
    children.push_back(app.spawn(pool.execute("INSERT INTO b VALUES (?)", i + 1000)));
    parents.push_back(app.spawn(pool.execute("INSERT INTO a VALUES (?)", i)));
  }
  for (auto& parent : parents) CHECK_NOTHROW(parent.get());
  for (auto& child : children) CHECK(code_of([&] { child.get(); }) == condition::constraint);
}

TEST_CASE("cluster: a temporary table is its user's, and gone for the next one") {
  ClusterFixture cluster;
  ThreadedApp app(on(cluster));
  Pool pool = app.open();
  app.run(pool.write([](Connection& db) {
    db.execute("CREATE TEMP TABLE mine(a)");
    db.execute("INSERT INTO mine VALUES (1)");
    CHECK(db.query_one<int>("SELECT count(*) FROM mine") == 1);
  }));
  CHECK(code_of([&] { app.run(pool.execute("INSERT INTO mine VALUES (2)")); }) == make_sqlite_error(SQLITE_ERROR));
}

}  // namespace
}  // namespace statehouse::test
