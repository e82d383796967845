// Connections that cannot be cleaned are opened anew.

#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

/// From now on SQLite refuses to end a transaction on this connection.
void break_connection(Connection& db) {
  sqlite3* const handle = db.native().getHandle();
  sqlite3_set_authorizer(
      handle,
      [](void*, int action, const char*, const char*, const char*, const char*) {
        return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
      },
      nullptr);
}

struct Replacement {
  int opened = 0;
  bool can_open = true;
  SteppedApp app{options()};
  Pool pool = app.open();

  Replacement() { app.run(pool.execute("CREATE TABLE t(a)")); }

  PoolOptions options() {
    PoolOptions result;
    result.readers = 1;
    result.connection.on_connect = [this](Connection&, connection_role role) {
      if (role == connection_role::reader) return;
      if (!can_open) throw std::runtime_error("cannot open now");
      ++opened;
    };
    return result;
  }
  /// Leaves a transaction open that cannot be rolled back.
  Task<void> start_breaking() {
    return app.spawn(pool.write([](Connection& db) {
      db.execute("INSERT INTO t VALUES (1)");
      break_connection(db);
      throw std::runtime_error("mine");
    }));
  }
};

TEST_CASE_METHOD(Replacement, "a connection whose transaction cannot be rolled back is replaced, its work is undone") {
  auto breaks = start_breaking();
  app.settle();
  CHECK_THROWS_AS(breaks.get(), std::runtime_error);
  CHECK(app.log.count("ROLLBACK failed", spdlog::level::err) >= 1);
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (2)")).changes == 1);
  CHECK(opened == 2);
  CHECK(pool.stats().writer.replaced == 1);
  CHECK(pool.stats().writer.connections == 1);
  CHECK(app.run(pool.query_all<int>("SELECT a FROM t")) == std::vector{2});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Replacement, "whoever waits behind a broken connection is served by the new one") {
  auto breaks = start_breaking();
  auto waiting = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
  auto acquires = app.spawn(pool.acquire(writer));
  app.settle();
  CHECK(breaks.failed());
  CHECK(waiting.get().changes == 1);
  auto lease = acquires.get();
  CHECK(app.run(lease.execute("INSERT INTO t VALUES (3)")).changes == 1);
  CHECK(opened == 2);
}

TEST_CASE_METHOD(Replacement, "a lease goes on with a new connection, a dropped transaction leaves one to the next") {
  auto lease = app.run(pool.acquire(writer));
  auto breaks = app.spawn(lease.write([](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    break_connection(db);
    throw std::runtime_error("mine");
  }));
  app.settle();
  CHECK(breaks.failed());
  CHECK(app.run(lease.execute("INSERT INTO t VALUES (2)")).changes == 1);
  CHECK(opened == 2);
  lease.release();
  {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t VALUES (3)"));
    app.run(transaction.savepoint([](Connection& db) { break_connection(db); }));
    auto commit = app.spawn(std::move(transaction).commit());
    app.settle();
    CHECK(commit.failed());
  }
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (4)")).changes == 1);
  CHECK(opened == 3);
  CHECK(app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{2, 4});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Replacement, "while it cannot be opened anew, each operation hears why; later all is well") {
  auto breaks = start_breaking();
  can_open = false;
  auto first = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
  auto second = app.spawn(pool.acquire(writer));
  app.settle();
  CHECK(breaks.failed());
  CHECK_THROWS_AS(first.get(), std::runtime_error);
  CHECK_THROWS_AS(second.get(), std::runtime_error);
  auto third = app.spawn(pool.begin());
  app.settle();
  CHECK(third.failed());
  // The readers are not concerned.
  CHECK(count(app, pool) == 0);
  can_open = true;
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (3)")).changes == 1);
  CHECK(app.run(pool.acquire(writer)).query_one<int>("SELECT 1").valid());
  CHECK(count(app, pool) == 1);
  CHECK(pool.stats().writer.replaced == 1);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Replacement, "shutdown closes what cannot be opened anew") {
  auto breaks = start_breaking();
  can_open = false;
  app.settle();
  CHECK(breaks.failed());
  CHECK(app.run(app.state->shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
