// Transactions and leases: connections that a caller holds across awaits.

#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

/// One writer, two readers, a table `t(a UNIQUE)` and one that refers to it, checked at COMMIT.
struct Held {
  SqlHook hook;
  SteppedApp app{hook.in(two_readers())};
  Pool pool = app.open();

  Held() {
    app.run(pool.write([](Connection& db) {
      db.execute_script(
          "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE);"
          "CREATE TABLE child(a REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED);"
          "CREATE TRIGGER strict BEFORE INSERT ON t WHEN NEW.b = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'bad'); END;");
    }));
  }

  static PoolOptions two_readers() {
    PoolOptions options;
    options.readers = 2;
    return options;
  }
  std::vector<int> rows() { return app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")); }
};

TEST_CASE_METHOD(Held, "transaction: spans awaits, sees its own writes; others see them after the commit") {
  //   transaction                  others
  //   INSERT 1
  //   sees 1                       see nothing
  //   (awaits something else)      a writer waits
  //   INSERT 2
  //   commit
  //                                the writer runs; everybody sees 1, 2
  auto transaction = app.run(pool.begin());
  CHECK(app.run(transaction.execute("INSERT INTO t(a) VALUES (?)", 1)).changes == 1);
  CHECK(app.run(transaction.query_one<int>("SELECT count(*) FROM t")) == 1);
  CHECK(count(app, pool) == 0);
  auto other = app.spawn(pool.execute("INSERT INTO t(a) VALUES (3)"));
  app.settle();
  CHECK(!other.done());
  CHECK(app.run(transaction.execute_returning<int>("INSERT INTO t(a) VALUES (2) RETURNING a")) == std::vector{2});
  CHECK(app.run(transaction.query_optional<int>("SELECT a FROM t WHERE a = 9")) == std::nullopt);
  CHECK(app.run(transaction.query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{1, 2});
  app.run(std::move(transaction).commit());
  CHECK(app.finish(other).changes == 1);
  CHECK(rows() == std::vector{1, 2, 3});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "transaction: rollback undoes everything") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  app.run(std::move(transaction).rollback());
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held,
                 "transaction: dropped, it is rolled back before the next writer, and not by the one who drops it") {
  //   caller                         database thread        next writer
  //   INSERT
  //                                                         waits
  //   the Transaction is destroyed
  //   (goes on)
  //                                  ROLLBACK
  //                                                         runs, finds nothing
  bool still_open = false;
  sqlite3* writer_handle = nullptr;
  auto next = [&] {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
    app.run(transaction.savepoint([&](Connection& db) { writer_handle = db.native().getHandle(); }));
    return app.spawn(pool.write([](Connection& db) { return db.query_one<int>("SELECT count(*) FROM t"); }));
  }();
  still_open = sqlite3_get_autocommit(writer_handle) == 0;
  CHECK(still_open);
  CHECK(app.finish(next) == 0);
  CHECK(pool.stats().writer.rolled_back == 1);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "transaction: dropped with nobody waiting, it is rolled back all the same") {
  {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  }
  app.settle();
  CHECK(pool.stats().writer.rolled_back == 1);
  check_all_clean(app, pool);
  CHECK(rows().empty());
}

TEST_CASE_METHOD(Held,
                 "transaction: dropped while someone waits to acquire, it is rolled back before that one has it") {
  std::optional<Transaction> transaction(app.run(pool.begin()));
  app.run(transaction->execute("INSERT INTO t(a) VALUES (1)"));
  auto waiting = app.spawn(pool.acquire(writer));
  transaction.reset();
  CHECK(!waiting.done());
  auto lease = app.finish(waiting);
  CHECK(app.run(lease.query_one<int>("SELECT count(*) FROM t")) == 0);
}

TEST_CASE_METHOD(
    Held, "transaction: a statement that runs while its Transaction is dropped finishes, then all is rolled back") {
  //   caller                         database thread        next writer
  //   INSERT: submitted
  //                                  runs...                waits
  //   the Transaction is destroyed
  //                                  ...done: ROLLBACK
  //   INSERT: completed
  //                                                         runs
  std::optional<Transaction> transaction(app.run(pool.begin()));
  app.run(transaction->execute("INSERT INTO t(a) VALUES (1)"));
  for (const bool running : {true, false}) {
    CAPTURE(running);
    if (!transaction) transaction.emplace(app.run(pool.begin()));
    auto statement = app.spawn(transaction->execute("INSERT INTO t(a) SELECT 2 WHERE hook() > 0"));
    auto next = app.spawn(pool.execute("INSERT INTO t(a) VALUES (9)"));
    if (running) {
      hook.call = [&](int) { transaction.reset(); };
    } else {
      transaction.reset();
    }
    app.settle();
    hook.call = {};
    CHECK(statement.get().changes == 1);
    CHECK(next.get().changes == 1);
    CHECK(rows() == std::vector{9});
    check_all_clean(app, pool);
    app.run(pool.execute("DELETE FROM t"));
  }
}

TEST_CASE_METHOD(Held, "transaction: a COMMIT that fails reports why, nothing is kept, and the writer is free") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  app.run(transaction.execute("INSERT INTO child VALUES (99)"));
  auto next = app.spawn(pool.execute("INSERT INTO t(a) VALUES (2)"));
  CHECK(app.code(std::move(transaction).commit()) == condition::constraint);
  CHECK(next.get().changes == 1);
  CHECK(rows() == std::vector{2});
  CHECK(count(app, pool, "child") == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "transaction: after SQLite's own rollback every call says so, and nothing is kept") {
  for (const char* sql : {"INSERT OR ROLLBACK INTO t VALUES (2, 'x')", "INSERT INTO t(b) VALUES ('bad')"}) {
    CAPTURE(sql);
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t VALUES (1, 'x')"));
    CHECK(app.code(transaction.execute(sql)) == condition::constraint);
    CHECK(app.code(transaction.execute("INSERT INTO t(a) VALUES (3)")) == errc::transaction_rolled_back);
    CHECK(app.code(transaction.query_all<int>("SELECT a FROM t")) == errc::transaction_rolled_back);
    CHECK(app.code(transaction.savepoint([](Connection& db) { db.execute("INSERT INTO t(a) VALUES (4)"); })) ==
          errc::transaction_rolled_back);
    CHECK(app.code(std::move(transaction).commit()) == errc::transaction_rolled_back);
    CHECK(rows().empty());
    check_all_clean(app, pool);
  }
  auto transaction = app.run(pool.begin());
  CHECK(app.code(transaction.execute("INSERT INTO t(b) VALUES ('bad')")) == condition::constraint);
  app.run(std::move(transaction).rollback());
}

TEST_CASE_METHOD(Held, "transaction: a rollback that fails says so, and nothing is kept") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  app.run(transaction.savepoint([](Connection& db) {
    sqlite3_set_authorizer(
        db.native().getHandle(),
        [](void*, int action, const char*, const char*, const char*, const char*) {
          return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
        },
        nullptr);
  }));
  CHECK(app.ended(std::move(transaction).rollback()).failed());
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "transaction: an error that SQLite undoes alone leaves it usable") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t VALUES (1, 'x')"));
  CHECK(app.code(transaction.execute("INSERT INTO t VALUES (2, 'x')")) == condition::unique);
  CHECK(app.code(transaction.execute("nonsense")) == make_sqlite_error(SQLITE_ERROR));
  CHECK(app.code(transaction.execute("COMMIT")) == errc::statement_refused);
  app.run(std::move(transaction).commit());
  CHECK(rows() == std::vector{1});
}

TEST_CASE_METHOD(Held, "transaction: a second statement meanwhile is refused and does not disturb the first") {
  auto transaction = app.run(pool.begin());
  auto first = app.spawn(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  auto second = app.spawn(transaction.execute("INSERT INTO t(a) VALUES (2)"));
  app.settle();
  CHECK(first.get().changes == 1);
  CHECK(second.code() == errc::operation_in_progress);
  auto lease = app.run(pool.acquire(reader));
  auto reading = app.spawn(lease.query_one<int>("SELECT 1"));
  CHECK(app.code(lease.read([](Reader&) {})) == errc::operation_in_progress);
  CHECK(app.finish(reading) == 1);
  app.run(std::move(transaction).commit());
  CHECK(rows() == std::vector{1});
}

TEST_CASE_METHOD(Held,
                 "transaction: finished while a statement is in progress, it is rolled back after that statement") {
  auto transaction = app.run(pool.begin());
  auto statement = app.spawn(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  auto commit = app.spawn(std::move(transaction).commit());
  app.settle();
  CHECK(statement.get().changes == 1);
  CHECK(commit.code() == errc::operation_in_progress);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "transaction: finished or moved from, every verb says so") {
  auto transaction = app.run(pool.begin());
  auto moved_to = std::move(transaction);
  const auto every_verb_fails = [&](Transaction& gone) {
    CHECK(app.code(gone.execute("DELETE FROM t")) == errc::transaction_finished);
    CHECK(app.code(gone.execute_returning<int>("DELETE FROM t RETURNING a")) == errc::transaction_finished);
    CHECK(app.code(gone.query_all<int>("SELECT 1")) == errc::transaction_finished);
    CHECK(app.code(gone.query_optional<int>("SELECT 1")) == errc::transaction_finished);
    CHECK(app.code(gone.query_one<int>("SELECT 1")) == errc::transaction_finished);
    CHECK(app.code(gone.savepoint([](Connection&) {})) == errc::transaction_finished);
    CHECK(app.code(std::move(gone).commit()) == errc::transaction_finished);
    CHECK(app.code(std::move(gone).rollback()) == errc::transaction_finished);
  };
  every_verb_fails(transaction);
  app.run(std::move(moved_to).commit());
  every_verb_fails(moved_to);

  auto lease = app.run(pool.acquire(writer));
  lease.release();
  lease.release();
  CHECK(app.code(lease.execute("DELETE FROM t")) == errc::transaction_finished);
  CHECK(app.code(lease.query_one<int>("SELECT 1")) == errc::transaction_finished);
  CHECK(app.code(lease.write([](Connection&) {})) == errc::transaction_finished);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "transaction: assigned over, the old one is rolled back and frees the writer") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  auto second = app.spawn(pool.begin());
  app.settle();
  CHECK(!second.done());
  transaction = Transaction();
  transaction = app.finish(second);
  app.run(transaction.execute("INSERT INTO t(a) VALUES (2)"));
  app.run(std::move(transaction).commit());
  CHECK(rows() == std::vector{2});
}

TEST_CASE_METHOD(
    Held, "savepoint: kept when it returns, undone alone when it throws; nests; returns what the closure returns") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  const auto adds = [](Connection& db) {
    db.execute("INSERT INTO t(a) VALUES (2)");
    try {
      db.savepoint([&] {
        db.execute("INSERT INTO t(a) VALUES (3)");
        throw 1;
      });
    } catch (int) {
    }
    return db.query_one<int>("SELECT count(*) FROM t");
  };
  CHECK(app.run(transaction.savepoint(adds)) == 2);
  const auto throws = [](Connection& db) {
    db.execute("INSERT INTO t(a) VALUES (4)");
    throw std::runtime_error("mine");
  };
  auto failed = app.spawn(transaction.savepoint(throws));
  app.settle();
  CHECK_THROWS_AS(failed.get(), std::runtime_error);
  app.run(transaction.execute("INSERT INTO t(a) VALUES (5)"));
  app.run(std::move(transaction).commit());
  CHECK(rows() == std::vector{1, 2, 5});
}

TEST_CASE_METHOD(Held, "savepoint: a closure that ignores SQLite's own rollback keeps nothing") {
  auto transaction = app.run(pool.begin());
  const auto ignores = [](Connection& db) {
    try {
      db.execute("INSERT INTO t(b) VALUES ('bad')");
    } catch (const Error&) {
    }
    db.execute("INSERT INTO t(a) VALUES (7)");
  };
  CHECK(app.code(transaction.savepoint(ignores)) == errc::transaction_rolled_back);
  CHECK(app.code(std::move(transaction).commit()) == errc::transaction_rolled_back);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "savepoint: what a closure leaves through native() is gone when the transaction is over") {
  sqlite3_stmt* left = nullptr;
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  app.run(transaction.savepoint([&](Connection& db) {
    sqlite3_prepare_v2(db.native().getHandle(), "SELECT a FROM t UNION ALL SELECT 2", -1, &left, nullptr);
    sqlite3_step(left);
  }));
  app.run(std::move(transaction).commit());
  // Else it would pin its snapshot, and the WAL with it, for as long as nobody writes.
  CHECK(sqlite3_stmt_busy(left) == 0);
  sqlite3_finalize(left);
  CHECK(rows() == std::vector{1});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "writer lease: one connection for statements and closures, in no transaction between them") {
  auto lease = app.run(pool.acquire(writer));
  app.run(lease.execute("CREATE TEMP TABLE mine(a)"));
  app.run(lease.execute("INSERT INTO mine VALUES (1)"));
  CHECK(app.run(lease.execute_returning<int>("INSERT INTO t(a) SELECT a FROM mine RETURNING a")) == std::vector{1});
  CHECK(app.run(lease.write([](Connection& db) { return db.execute("INSERT INTO t(a) VALUES (2)").changes; })) == 1);
  CHECK(rows() == std::vector{1, 2});  // each is committed at once
  CHECK(app.code(lease.query_all<int>("DELETE FROM t RETURNING a")) == errc::write_on_reader);
  CHECK(app.code(lease.execute("BEGIN")) == errc::statement_refused);
  app.run(lease.execute("DROP TABLE mine"));
  const auto leaves_open = [](Connection& db) {
    sqlite3_exec(db.native().getHandle(), "SAVEPOINT x", nullptr, nullptr, nullptr);
    throw std::runtime_error("mine");
  };
  auto thrown = app.spawn(lease.write(leaves_open));
  app.settle();
  CHECK_THROWS_AS(thrown.get(), std::runtime_error);
  CHECK(app.run(lease.read([](Reader& db) { return in_autocommit(db); })) == false);  // its own snapshot
  CHECK(app.run(lease.execute("INSERT INTO t(a) VALUES (3)")).changes == 1);
  CHECK(rows() == std::vector{1, 2, 3});
  lease.release();
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "reader lease: reads on one connection, each statement sees what is committed by then") {
  auto lease = app.run(pool.acquire(reader));
  CHECK(app.run(lease.query_all<int>("SELECT a FROM t")).empty());
  app.run(pool.execute("INSERT INTO t(a) VALUES (1)"));
  CHECK(app.run(lease.query_one<int>("SELECT a FROM t")) == 1);
  CHECK(app.run(lease.query_optional<int>("SELECT a FROM t WHERE a = 2")) == std::nullopt);
  CHECK(app.run(lease.read([](Reader& db) { return db.query_one<int>("SELECT count(*) FROM t"); })) == 1);
  CHECK(app.code(lease.query_all<int>("DELETE FROM t RETURNING a")) == errc::write_on_reader);
}

TEST_CASE_METHOD(Held, "lease: dropped while its statement runs, the connection is free after that statement") {
  //   caller                         database thread       next
  //   SELECT: submitted
  //                                  runs...               waits (both readers are held)
  //   lease dropped
  //                                  ...done
  //                                                        runs
  auto other = app.run(pool.acquire(reader));
  std::optional<ReaderLease> lease(app.run(pool.acquire(reader)));
  auto statement = app.spawn(lease->query_one<int>("SELECT hook()"));
  auto next = app.spawn(pool.query_one<int>("SELECT 2"));
  hook.call = [&](int) {
    lease.reset();
    CHECK(pool.stats().readers.in_use == 2);
    CHECK(pool.stats().readers.waiting == 1);
  };
  app.settle();
  CHECK(statement.get() > 0);
  CHECK(next.get() == 2);
  other.release();
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Held, "lease: the end of an old one does not end the one that has the connection now") {
  //   transaction               next
  //   commit: runs              waits to acquire
  //   (connection handed on)    has it
  //   resumed, handle gone
  //                             still has it
  auto transaction = app.run(pool.begin());
  auto waiting = app.spawn(pool.acquire(writer));
  auto commit = app.spawn(std::move(transaction).commit());
  app.settle();
  REQUIRE(commit.done());
  REQUIRE(waiting.done());
  auto outsider = app.spawn(pool.execute("INSERT INTO t(a) VALUES (1)"));
  app.settle();
  CHECK(!outsider.done());
  CHECK(pool.stats().writer.in_use == 1);
  auto lease = waiting.get();
  CHECK(app.run(lease.query_one<int>("SELECT 1")) == 1);
  lease.release();
  CHECK(app.finish(outsider).changes == 1);
}

TEST_CASE_METHOD(Held, "shutdown: held connections work during the grace time and are taken back after it") {
  //   holders                        shutdown
  //                                  begins; grace 1 s
  //   a statement still works
  //                                  the grace time is over: taken back, rolled back, closed
  //   every call: errc::closed
  auto transaction = app.run(pool.begin());
  auto lease = app.run(pool.acquire(reader));
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  auto waiting = app.spawn(pool.execute("INSERT INTO t(a) VALUES (2)"));
  auto shutdown = app.spawn(app.state->shutdown({.grace = 1s, .deadline = 2s}));
  app.settle();
  CHECK(!shutdown.done());
  CHECK(waiting.code() == errc::closed);
  CHECK(app.code(pool.query_one<int>("SELECT 1")) == errc::closed);
  CHECK(app.run(transaction.execute("INSERT INTO t(a) VALUES (3)")).changes == 1);
  CHECK(app.run(lease.query_one<int>("SELECT count(*) FROM t")) == 0);
  app.clock->advance(1s);
  const auto report = app.finish(shutdown);
  CHECK(report.clean());
  REQUIRE(report.databases.size() == 1);
  CHECK(report.databases[0].interrupted);
  CHECK(app.code(transaction.execute("INSERT INTO t(a) VALUES (4)")) == errc::closed);
  CHECK(app.code(lease.query_one<int>("SELECT 1")) == errc::closed);
  CHECK(app.code(std::move(transaction).commit()) == errc::closed);
}

TEST_CASE_METHOD(Held,
                 "shutdown: a statement of a held connection is stopped after the grace time, a queued one refused") {
  auto transaction = app.run(pool.begin());
  auto lease = app.run(pool.acquire(reader));
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  auto shutdown = app.spawn(app.state->shutdown({.grace = 1s, .deadline = 2s}));
  auto running = app.spawn(transaction.query_one<int>(endless_hook));
  auto queued = app.spawn(lease.query_one<int>("SELECT 1"));
  hook.call = [&](int number) {
    if (number == 5) app.clock->advance(1s);
  };
  app.settle();
  CHECK(running.code() == errc::closed);
  CHECK(queued.code() == errc::closed);
  CHECK(hook.calls < 1100);
  REQUIRE(shutdown.done());
  CHECK(shutdown.get().clean());
}

TEST_CASE_METHOD(Held, "lifetime: transactions and leases may outlive the AppState") {
  auto transaction = app.run(pool.begin());
  auto lease = app.run(pool.acquire(reader));
  app.run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  app.state.reset();
  CHECK(app.code(transaction.execute("INSERT INTO t(a) VALUES (4)")) == errc::closed);
  CHECK(app.code(lease.query_one<int>("SELECT 1")) == errc::closed);
  CHECK(app.code(pool.query_one<int>("SELECT 1")) == errc::closed);
  CHECK(app.code(pool.begin()) == errc::closed);
  CHECK(pool.stats().state == database_state::closed);
  CHECK(pool.name() == "test");
}

TEST_CASE_METHOD(Held, "lifetime: a transaction keeps working when the pool handle it came from is gone") {
  auto transaction = [&] {
    const Pool copy = pool;
    return app.run(copy.begin());
  }();
  pool = app.run(app.state->db_instances.get_pool("other"));
  CHECK(app.run(transaction.execute("INSERT INTO t(a) VALUES (1)")).changes == 1);
  app.run(std::move(transaction).commit());
}

}  // namespace
}  // namespace statehouse::test
