// Closures, transactions, savepoints and leases: what is kept, what is undone, and who sees what; on every engine.

#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "behaviour.hpp"

namespace statehouse::test {
namespace {

struct Transacting : Behaviour {
  Transacting() {
    execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE) STRICT");
    execute("CREATE TRIGGER strict BEFORE INSERT ON t WHEN NEW.b = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'bad'); END");
  }
  std::vector<int> rows() { return numbers("SELECT a FROM t ORDER BY a"); }
};

TEST_CASE_METHOD(Transacting, "write: is kept as a whole when the closure returns, and not at all when it throws") {
  CHECK(run(pool.write([](Connection& db) {
          db.execute("INSERT INTO t(a) VALUES (1)");
          db.execute("INSERT INTO t(a) VALUES (2)");
          return db.query_one<int>("SELECT count(*) FROM t");
        })) == 2);
  auto thrown = app.ended(pool.write([](Connection& db) {
    db.execute("INSERT INTO t(a) VALUES (3)");
    throw std::out_of_range("mine");
  }));
  CHECK_THROWS_AS(thrown.get(), std::out_of_range);
  CHECK(rows() == std::vector{1, 2});
  check_all_clean();
}

TEST_CASE_METHOD(Transacting, "write: an error that SQLite undoes alone may be caught, and the rest is kept") {
  run(pool.write([](Connection& db) {
    db.execute("INSERT INTO t VALUES (1, 'x')");
    try {
      db.execute("INSERT INTO t VALUES (2, 'y'), (3, 'x')");
    } catch (const Error& error) {
      CHECK(error.code() == condition::unique);
    }
    db.execute("INSERT INTO t VALUES (4, 'z')");
  }));
  CHECK(rows() == std::vector{1, 4});
}

TEST_CASE_METHOD(Transacting, "write: what comes after SQLite's own rollback is not kept alone, and hears of it") {
  for (const char* const sql : {"INSERT OR ROLLBACK INTO t VALUES (2, 'x')", "INSERT INTO t(b) VALUES ('bad')"}) {
    CAPTURE(sql);
    CHECK(code(pool.write([&](Connection& db) {
            db.execute("INSERT INTO t VALUES (1, 'x')");
            CHECK(code_of([&] { db.execute(sql); }) == condition::constraint);
            db.execute("INSERT INTO t(a) VALUES (3)");
          })) == errc::transaction_rolled_back);
    CHECK(rows().empty());
    check_all_clean();
  }
}

TEST_CASE_METHOD(Transacting, "read: all statements of a closure see one state, whatever is committed meanwhile") {
  std::optional<Task<ExecuteResult>> insert;
  auto read = app.spawn(pool.read([&](Reader& db) {
    const int before = db.query_one<int>("SELECT count(*) FROM t");
    app.step_db();
    app.step_io();
    return std::tuple(before, insert->done(), db.query_one<int>("SELECT count(*) FROM t"));
  }));
  insert = app.spawn(pool.execute("INSERT INTO t(a) VALUES (1)"));
  CHECK(app.finish(read) == std::tuple(0, true, 0));
  CHECK(rows().size() == 1);
}

TEST_CASE_METHOD(Transacting,
                 "write_without_transaction: each statement is kept by itself, and settings are put back") {
  auto thrown = app.ended(pool.write_without_transaction([](Connection& db) {
    db.execute("PRAGMA foreign_keys = OFF");
    db.execute("INSERT INTO t(a) VALUES (1)");
    throw std::runtime_error("mine");
  }));
  CHECK_THROWS_AS(thrown.get(), std::runtime_error);
  CHECK(rows() == std::vector{1});
  CHECK(run(pool.write([](Connection& db) { return db.query_one<int>("PRAGMA foreign_keys"); })) == 1);
  run(pool.write_without_transaction([](Connection& db) { db.execute("VACUUM"); }));
  check_all_clean();
}

TEST_CASE_METHOD(Transacting, "transaction: spans awaits and sees its own writes; others wait, and see them after it") {
  auto transaction = run(pool.begin());
  CHECK(run(transaction.execute("INSERT INTO t(a) VALUES (?)", 1)).last_insert_rowid == 1);
  CHECK(run(transaction.query_one<int>("SELECT count(*) FROM t")) == 1);
  CHECK(rows().empty());
  auto other = app.spawn(pool.execute("INSERT INTO t(a) VALUES (2)"));
  app.settle();
  CHECK_FALSE(other.done());
  run(std::move(transaction).commit());
  CHECK(app.finish(other).changes == 1);
  CHECK(rows() == std::vector{1, 2});
  check_all_clean();
}

TEST_CASE_METHOD(Transacting, "transaction: rolled back, dropped or assigned over, nothing of it is kept") {
  auto transaction = run(pool.begin());
  run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  run(std::move(transaction).rollback());
  {
    auto dropped = run(pool.begin());
    run(dropped.execute("INSERT INTO t(a) VALUES (2)"));
  }
  auto next = app.spawn(pool.write([](Connection& db) { return db.query_one<int>("SELECT count(*) FROM t"); }));
  CHECK(app.finish(next) == 0);
  auto first = run(pool.begin());
  run(first.execute("INSERT INTO t(a) VALUES (3)"));
  auto second = app.spawn(pool.begin());
  first = Transaction();
  first = app.finish(second);
  run(first.execute("INSERT INTO t(a) VALUES (4)"));
  run(std::move(first).commit());
  CHECK(rows() == std::vector{4});
  CHECK(pool.stats().writer.rolled_back == 2);
  check_all_clean();
}

TEST_CASE_METHOD(Transacting, "transaction: after SQLite's own rollback every call says so, and nothing is kept") {
  auto transaction = run(pool.begin());
  run(transaction.execute("INSERT INTO t VALUES (1, 'x')"));
  CHECK(code(transaction.execute("INSERT INTO t(b) VALUES ('bad')")) == condition::constraint);
  CHECK(code(transaction.execute("INSERT INTO t(a) VALUES (3)")) == errc::transaction_rolled_back);
  CHECK(code(transaction.query_all<int>("SELECT a FROM t")) == errc::transaction_rolled_back);
  CHECK(code(transaction.savepoint([](Connection&) {})) == errc::transaction_rolled_back);
  CHECK(code(std::move(transaction).commit()) == errc::transaction_rolled_back);
  CHECK(rows().empty());
  check_all_clean();
}

TEST_CASE_METHOD(Transacting, "transaction: one operation at a time, and none when it is over") {
  auto transaction = run(pool.begin());
  auto first = app.spawn(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  auto second = app.spawn(transaction.execute("INSERT INTO t(a) VALUES (2)"));
  app.settle();
  CHECK(first.get().changes == 1);
  CHECK(second.code() == errc::operation_in_progress);
  run(std::move(transaction).commit());
  CHECK(code(transaction.execute("DELETE FROM t")) == errc::transaction_finished);
  CHECK(rows() == std::vector{1});
}

TEST_CASE_METHOD(Transacting, "savepoint: kept when it returns, undone alone when it throws, and nests") {
  auto transaction = run(pool.begin());
  run(transaction.execute("INSERT INTO t(a) VALUES (1)"));
  CHECK(run(transaction.savepoint([](Connection& db) {
          db.execute("INSERT INTO t(a) VALUES (2)");
          CHECK_THROWS_AS(db.savepoint([&] {
            db.execute("INSERT INTO t(a) VALUES (3)");
            throw 1;
          }),
                          int);
          return db.query_one<int>("SELECT count(*) FROM t");
        })) == 2);
  auto failed = app.ended(transaction.savepoint([](Connection& db) {
    db.execute("INSERT INTO t(a) VALUES (4)");
    throw std::runtime_error("mine");
  }));
  CHECK_THROWS_AS(failed.get(), std::runtime_error);
  run(transaction.execute("INSERT INTO t(a) VALUES (5)"));
  run(std::move(transaction).commit());
  CHECK(rows() == std::vector{1, 2, 5});
}

TEST_CASE_METHOD(Transacting, "savepoint: a closure that ignores SQLite's own rollback keeps nothing") {
  auto transaction = run(pool.begin());
  CHECK(code(transaction.savepoint([](Connection& db) {
          CHECK(code_of([&] { db.execute("INSERT INTO t(b) VALUES ('bad')"); }) == condition::constraint);
          db.execute("INSERT INTO t(a) VALUES (7)");
        })) == errc::transaction_rolled_back);
  CHECK(code(std::move(transaction).commit()) == errc::transaction_rolled_back);
  CHECK(rows().empty());
  check_all_clean();
}

TEST_CASE_METHOD(Transacting, "lease: a writer's is one connection in no transaction, and others wait for it") {
  auto lease = run(pool.acquire(writer));
  run(lease.execute("CREATE TEMP TABLE mine(a)"));
  run(lease.execute("INSERT INTO mine VALUES (1)"));
  run(lease.execute("INSERT INTO t(a) SELECT a FROM mine"));
  CHECK(rows() == std::vector{1});  // at once
  CHECK(run(lease.write([](Connection& db) { return db.execute("INSERT INTO t(a) VALUES (2)").changes; })) == 1);
  auto other = app.spawn(pool.execute("INSERT INTO mine VALUES (2)"));
  app.settle();
  CHECK_FALSE(other.done());
  lease.release();
  app.settle();
  CHECK(other.code() == make_sqlite_error(SQLITE_ERROR));  // the temporary table went with its user
  CHECK(code(lease.execute("DELETE FROM t")) == errc::transaction_finished);
  CHECK(rows() == std::vector{1, 2});
  check_all_clean();
}

TEST_CASE_METHOD(Transacting,
                 "lease: a reader's sees with each statement what is committed by then, and writes nothing") {
  auto lease = run(pool.acquire(reader));
  CHECK(run(lease.query_one<int>("SELECT count(*) FROM t")) == 0);
  execute("INSERT INTO t(a) VALUES (1)");
  CHECK(run(lease.query_one<int>("SELECT count(*) FROM t")) == 1);
  CHECK(code(lease.query_all<int>("DELETE FROM t")) == errc::write_on_reader);
  lease.release();
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
