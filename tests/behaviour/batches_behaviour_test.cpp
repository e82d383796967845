// Writes that wait together share a commit, and each has the outcome it would have had alone; on every engine.

#include <string>
#include <vector>

#include "behaviour.hpp"

namespace statehouse::test {
namespace {

struct Together : Behaviour {
  Together() {
    execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT) STRICT");
    execute("CREATE TABLE last(x INTEGER) STRICT");
    execute("INSERT INTO last VALUES (0)");
  }
  /// Waits with all others that were spawned before something is stepped.
  Task<ExecuteResult> spawn(std::string sql) {
    return app.spawn([this, sql] { return pool.execute(std::string_view(sql)); });
  }
  std::vector<int> rows() { return numbers("SELECT a FROM t ORDER BY a"); }
};

TEST_CASE_METHOD(Together, "batch: what waits together shares one commit, in its order, each with its own result") {
  std::vector<Task<ExecuteResult>> inserts;
  std::vector<Task<ExecuteResult>> updates;
  const auto before = pool.stats().writer.batches;
  for (int i = 1; i <= 64; ++i) {
    inserts.push_back(spawn("INSERT INTO t(b) VALUES ('x'), ('y')"));
    updates.push_back(spawn("UPDATE last SET x = " + std::to_string(i) + " WHERE x = " + std::to_string(i - 1)));
  }
  app.settle();
  for (std::size_t i = 0; i < 64; ++i) {
    const ExecuteResult inserted = inserts[i].get();
    CHECK(inserted.changes == 2);
    CHECK(inserted.last_insert_rowid == 2 * static_cast<std::int64_t>(i + 1));
    CHECK(updates[i].get().changes == 1);
  }
  CHECK(pool.stats().writer.batches == before + 1);
  CHECK(number("SELECT x FROM last") == 64);
  CHECK(number("SELECT count(*) FROM t") == 128);
  check_all_clean();
}

TEST_CASE_METHOD(Together, "batch: one that fails is undone alone, and hears why; the others are kept") {
  auto first = spawn("INSERT INTO t(a) VALUES (1)");
  auto half = spawn("INSERT INTO t(a) VALUES (2), (1)");
  auto keeps_half = spawn("INSERT OR FAIL INTO t(a) VALUES (3), (1), (4)");
  auto unknown = spawn("INSERT INTO nowhere VALUES (1)");
  auto late = spawn("UPDATE t SET b = json('{') WHERE a = 1");
  auto last = spawn("INSERT INTO t(a) VALUES (5)");
  app.settle();
  CHECK(first.get().last_insert_rowid == 1);
  CHECK(half.code() == condition::unique);
  CHECK(contains(half.text(), "UNIQUE constraint failed: t.a"));
  CHECK(keeps_half.code() == condition::unique);
  CHECK(unknown.code() == make_sqlite_error(SQLITE_ERROR));
  CHECK(late.code() == make_sqlite_error(SQLITE_ERROR));
  CHECK(contains(late.text(), "malformed JSON"));
  CHECK(last.get().last_insert_rowid == 5);
  CHECK(rows() == std::vector{1, 3, 5});
  check_all_clean();
}

TEST_CASE_METHOD(Together, "batch: one that makes SQLite roll back takes nobody with it") {
  execute("CREATE TABLE strict(a INTEGER UNIQUE ON CONFLICT ROLLBACK) STRICT");
  for (const char* const sql : {"INSERT OR ROLLBACK INTO t(a) VALUES (1)", "INSERT INTO strict VALUES (1), (1)"}) {
    CAPTURE(sql);
    auto first = spawn("INSERT INTO t(a) VALUES (1)");
    auto rolls_back = spawn(sql);
    auto last = spawn("INSERT INTO t(a) VALUES (2)");
    app.settle();
    CHECK(first.get().changes == 1);
    CHECK(rolls_back.code() == condition::unique);
    CHECK(last.get().changes == 1);
    CHECK(rows() == std::vector{1, 2});
    CHECK(number("SELECT count(*) FROM strict") == 0);
    check_all_clean();
    execute("DELETE FROM t");
  }
}

TEST_CASE_METHOD(Together, "batch: a deferred foreign key that one violates is not made good by another") {
  execute("CREATE TABLE child(t INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED) STRICT");
  auto violates = spawn("INSERT INTO child VALUES (1)");
  auto parent = spawn("INSERT INTO t(a) VALUES (1)");
  auto child = spawn("INSERT INTO child VALUES (1)");
  app.settle();
  CHECK(violates.code() == condition::constraint);
  CHECK(parent.get().changes == 1);
  CHECK(child.get().changes == 1);
  CHECK(number("SELECT count(*) FROM child") == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Together, "batch: each sees what those before it have done, new tables too") {
  auto create = spawn("CREATE TABLE made(x INTEGER) STRICT");
  auto fill = spawn("INSERT INTO made VALUES (1), (2)");
  auto copy = spawn("INSERT INTO t(a) SELECT x FROM made");
  auto temporary = spawn("CREATE TEMP TABLE mine(x)");
  auto other = spawn("INSERT INTO mine VALUES (1)");
  auto drop = spawn("DROP TABLE made");
  auto after = spawn("INSERT INTO made VALUES (3)");
  app.settle();
  CHECK(create.get().changes == 0);
  CHECK(fill.get().changes == 2);
  CHECK(copy.get().changes == 2);
  CHECK(temporary.get().changes == 0);
  CHECK(other.code() == make_sqlite_error(SQLITE_ERROR));
  CHECK(drop.get().changes == 0);
  CHECK(after.code() == make_sqlite_error(SQLITE_ERROR));
  CHECK(rows() == std::vector{1, 2});
  check_all_clean();
}

TEST_CASE_METHOD(Together, "batch: closures that ask to share are kept or undone each by itself, among statements") {
  const auto writes = [this](int value, bool throws) {
    return app.spawn([this, value, throws] {
      return pool.write(
          [value, throws](Connection& db) {
            db.execute("INSERT INTO t(a) VALUES (?)", value);
            if (throws) throw std::runtime_error("mine");
            return db.query_one<int>("SELECT count(*) FROM t");
          },
          {.group_commit = true});
    });
  };
  auto statement = spawn("INSERT INTO t(a) VALUES (1)");
  auto second = writes(2, false);
  auto thrown = writes(3, true);
  auto behind = spawn("INSERT INTO t(a) VALUES (4)");
  auto last = writes(5, false);
  app.settle();
  CHECK(statement.get().changes == 1);
  CHECK(second.get() == 2);
  CHECK_THROWS_AS(thrown.get(), std::runtime_error);
  CHECK(behind.get().last_insert_rowid == 4);
  CHECK(last.get() == 4);
  CHECK(rows() == std::vector{1, 2, 4, 5});
  check_all_clean();
}

TEST_CASE_METHOD(Together, "batch: reads that wait together each see what was committed before they were asked for") {
  std::vector<Task<int>> reads;
  execute("INSERT INTO t(a) VALUES (1)");
  for (int i = 0; i < 20; ++i) reads.push_back(app.spawn(pool.query_one<int>("SELECT count(*) FROM t")));
  auto wrong = app.spawn(pool.query_one<int>("SELECT a FROM nowhere"));
  app.settle();
  for (auto& each : reads) CHECK(each.get() == 1);
  CHECK(wrong.code() == make_sqlite_error(SQLITE_ERROR));
  check_all_clean();
}

TEST_CASE_METHOD(Together, "batch: statements with large values and many of them are all kept") {
  std::vector<Task<ExecuteResult>> writes;
  const std::string large(100'000, 'x');
  for (int i = 0; i < 40; ++i) writes.push_back(app.spawn(pool.execute("INSERT INTO t(b) VALUES (?)", large)));
  for (int i = 0; i < 300; ++i) writes.push_back(app.spawn(pool.execute("INSERT INTO t(b) VALUES (?)", "small")));
  app.settle();
  for (auto& each : writes) CHECK(each.get().changes == 1);
  CHECK(number("SELECT count(*) FROM t") == 340);
  CHECK(number("SELECT sum(length(b)) FROM t") == 40 * 100'000 + 300 * 5);
}

}  // namespace
}  // namespace statehouse::test
