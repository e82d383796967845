// CallOptions on every verb that takes them, and what they do there.

#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

constexpr CallOptions a_moment{.run_timeout = 100ms};

/// Writes without end, one `hook()` per row.
constexpr const char* runaway_insert =
    "INSERT INTO t(a) WITH RECURSIVE c(n) AS (SELECT 1000 UNION ALL SELECT n + min(1, hook()) FROM c) SELECT n FROM c";

/// A pool with a table `t(a INTEGER PRIMARY KEY, b)`. Each `hook()` of a statement lets 150 ms pass, which is too much
/// for `a_moment`.
struct Limits {
  SqlHook hook;
  SteppedApp app{hook.in()};
  Pool pool = app.open();

  Limits() {
    app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)"));
    hook.call = [this](int) { app.clock->advance(150ms); };
  }
  std::vector<int> rows() { return app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")); }
};

TEST_CASE_METHOD(Limits,
                 "options: a designated initialiser fits in front of every statement verb and behind every closure") {
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute({.timeout = 500ms}, "INSERT INTO t(a, b) VALUES (?, ?)", 1, "x");
    co_await pool.execute_returning<int>({.run_timeout = 1s}, "INSERT INTO t(b) VALUES (?) RETURNING a", "y");
    co_await pool.query_all<int>({.timeout = 500ms, .run_timeout = 1s}, "SELECT a FROM t WHERE a > ?", 0);
    co_await pool.query_optional<int>({.timeout = 500ms}, "SELECT a FROM t WHERE a = ?", 1);
    co_await pool.query_one<int>({.timeout = 500ms}, "SELECT a FROM t WHERE a = ?", 1);
    co_await pool.read([](Reader&) {}, {.timeout = 500ms});
    co_await pool.write([](Connection&) {}, {.timeout = 500ms});
    co_await pool.write_without_transaction([](Connection&) {}, {.timeout = 500ms});
    auto lease = co_await pool.acquire(reader, {.timeout = 500ms});
    co_await lease.query_one<int>({.run_timeout = 1s}, "SELECT 1");
    co_await lease.read([](Reader&) {}, {.run_timeout = 1s});
    auto transaction = co_await pool.begin({.timeout = 500ms});
    co_await transaction.execute({.run_timeout = 1s}, "DELETE FROM t WHERE a = ?", 99);
    co_await transaction.query_all<int>({.run_timeout = 1s}, "SELECT a FROM t");
    co_await transaction.savepoint([](Connection&) {}, {.run_timeout = 1s});
    co_await std::move(transaction).commit();
  });
  CHECK(count(app, pool) == 2);
}

TEST_CASE_METHOD(Limits, "options: the longest duration means no limit instead of overflowing") {
  const CallOptions forever{.timeout = std::chrono::milliseconds::max(),
                            .run_timeout = std::chrono::milliseconds::max()};
  CHECK(app.run(pool.query_one<int>(forever, "SELECT 1")) == 1);
  auto transaction = app.run(pool.begin());
  auto waiting = app.spawn(pool.execute(forever, "INSERT INTO t(b) VALUES ('x')"));
  app.clock->advance(std::chrono::hours(24));
  CHECK(!waiting.done());
  app.run(std::move(transaction).commit());
  CHECK(app.finish(waiting).changes == 1);
}

TEST_CASE_METHOD(Limits, "run_timeout: ends a query of a transaction, which then goes on and commits") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  CHECK(app.code(transaction.query_one<int>(a_moment, endless_hook)) == errc::deadline_exceeded);
  CHECK(app.code(transaction.query_all<int>(a_moment, endless_hook)) == errc::deadline_exceeded);
  CHECK(app.code(transaction.query_optional<int>(a_moment, endless_hook)) == errc::deadline_exceeded);
  app.run(transaction.execute(a_moment, "INSERT INTO t(a) VALUES (2)"));
  app.run(std::move(transaction).commit());
  CHECK(rows() == std::vector{1, 2});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Limits,
                 "run_timeout: a write of a transaction that it ends takes the transaction with it, which says so") {
  // SQLite rolls the whole transaction back when it interrupts a statement that writes
  // (https://www.sqlite.org/c3ref/interrupt.html).
  const auto loses = [&](auto statement) {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
    CHECK(app.code(statement(transaction)) == errc::deadline_exceeded);
    CHECK(app.code(transaction.execute("INSERT INTO t(a) VALUES (2)")) == errc::transaction_rolled_back);
    CHECK(app.code(std::move(transaction).commit()) == errc::transaction_rolled_back);
    CHECK(rows().empty());
    check_all_clean(app, pool);
  };
  loses([](Transaction& transaction) { return transaction.execute(a_moment, runaway_insert); });
  loses([](Transaction& transaction) {
    return transaction.execute_returning<int>(a_moment, std::string(runaway_insert) + " RETURNING a");
  });
}

TEST_CASE_METHOD(Limits, "run_timeout: one statement's does not bind the next one of the same transaction or lease") {
  auto transaction = app.run(pool.begin());
  CHECK(app.run(transaction.query_one<int>(a_moment, "SELECT 7")) == 7);
  CHECK(app.run(transaction.query_one<int>("SELECT min(1, hook())")) == 1);
  app.run(std::move(transaction).commit());
  auto lease = app.run(pool.acquire(writer));
  CHECK(app.code(lease.query_one<int>(a_moment, endless_hook)) == errc::deadline_exceeded);
  CHECK(app.code(lease.execute(a_moment, runaway_insert)) == errc::deadline_exceeded);
  CHECK(app.run(lease.query_one<int>("SELECT min(1, hook())")) == 1);
  CHECK(app.run(lease.execute(a_moment, "INSERT INTO t(a) VALUES (1)")).changes == 1);
}

TEST_CASE_METHOD(Limits, "run_timeout: ends the next statement of a transaction, whatever a closure did by native()") {
  constexpr const char* long_hook =
      "WITH RECURSIVE c(n) AS (SELECT hook() UNION ALL SELECT n + 1 FROM c WHERE n < 2000000) SELECT max(n) FROM c";
  auto transaction = app.run(pool.begin());
  app.run(transaction.savepoint(
      [](Connection& db) { sqlite3_progress_handler(db.native().getHandle(), 0, nullptr, nullptr); }));
  CHECK(app.code(transaction.query_one<int>(a_moment, long_hook)) == errc::deadline_exceeded);
  app.run(std::move(transaction).commit());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Limits, "run_timeout: ends one statement inside a closure, which goes on") {
  const auto closure = [](Connection& db) {
    db.execute("INSERT INTO t(a) VALUES (1)");
    CHECK(code_of([&] { db.query_one<int>(a_moment, endless_hook); }) == errc::deadline_exceeded);
    db.execute(a_moment, "INSERT INTO t(a) VALUES (2)");
    return db.query_one<int>("SELECT min(1, hook())");  // no limit any more
  };
  CHECK(app.run(pool.write(closure)) == 1);
  CHECK(rows() == std::vector{1, 2});
  const auto reading = [](Reader& db) {
    CHECK(code_of([&] { db.query_all<int>(a_moment, endless_hook); }) == errc::deadline_exceeded);
    CHECK(code_of([&] { db.query_optional<int>(a_moment, endless_hook); }) == errc::deadline_exceeded);
    return db.query_one<int>({.run_timeout = 0ms}, "SELECT min(1, hook())");
  };
  CHECK(app.run(pool.read(reading)) == 1);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Limits, "run_timeout: a longer one of a statement does not lengthen that of its closure") {
  const auto closure = [](Connection& db) { db.query_one<int>({.run_timeout = 1h}, endless_hook); };
  CHECK(app.code(pool.write(closure, a_moment)) == errc::deadline_exceeded);
  CHECK(hook.calls < 100);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Limits,
                 "options: what is for a pool only changes nothing in a transaction, on a lease or in a closure") {
  const CallOptions inapplicable{.timeout = 1ms, .inline_read = true, .group_commit = true};
  auto transaction = app.run(pool.begin());
  CHECK(app.run(transaction.query_one<int>(inapplicable, "SELECT min(1, hook())")) == 1);
  CHECK(app.run(transaction.execute(inapplicable, "INSERT INTO t(a) VALUES (1)")).changes == 1);
  app.run(std::move(transaction).commit());
  auto lease = app.run(pool.acquire(reader));
  CHECK(app.run(lease.query_one<int>(inapplicable, "SELECT min(1, hook())")) == 1);
  const auto closure = [&](Connection& db) { return db.execute(inapplicable, "INSERT INTO t(a) VALUES (2)").changes; };
  CHECK(app.run(pool.write(closure)) == 1);
  CHECK(rows() == std::vector{1, 2});
}

}  // namespace
}  // namespace statehouse::test
