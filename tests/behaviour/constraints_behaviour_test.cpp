// What the schema forbids is refused, undone alone and told by name; on every engine.

#include <string>
#include <vector>

#include "behaviour.hpp"

namespace statehouse::test {
namespace {

struct Constrained : Behaviour {
  Constrained() {
    execute(
        "CREATE TABLE t(a INTEGER PRIMARY KEY CHECK (a <> 13), b TEXT UNIQUE, c INTEGER NOT NULL DEFAULT 0) STRICT");
    execute("CREATE TABLE child(t INTEGER REFERENCES t ON DELETE RESTRICT) STRICT");
    execute("INSERT INTO t(a, b) VALUES (1, 'one')");
  }
};

TEST_CASE_METHOD(Constrained, "constraints: each kind is its own code, names what it is about, and leaves nothing") {
  struct Case {
    const char* sql;
    int code;
    const char* text;
  };
  const std::vector<Case> cases{
      {"INSERT INTO t(a) VALUES (1)", SQLITE_CONSTRAINT_PRIMARYKEY, "UNIQUE constraint failed: t.a (SQLite 1555)"},
      {"INSERT INTO t(b) VALUES ('two'), ('one')", SQLITE_CONSTRAINT_UNIQUE,
       "UNIQUE constraint failed: t.b (SQLite 2067)"},
      {"INSERT INTO t(c) VALUES (NULL)", SQLITE_CONSTRAINT_NOTNULL, "NOT NULL constraint failed: t.c (SQLite 1299)"},
      {"INSERT INTO t(a) VALUES (13)", SQLITE_CONSTRAINT_CHECK, "CHECK constraint failed: a <> 13 (SQLite 275)"},
      {"INSERT INTO child VALUES (99)", SQLITE_CONSTRAINT_FOREIGNKEY, "FOREIGN KEY constraint failed (SQLite 787)"},
      {"INSERT INTO t(c) VALUES ('x')", SQLITE_CONSTRAINT_DATATYPE,
       "cannot store TEXT value in INTEGER column t.c (SQLite 3091)"}};
  for (const Case& each : cases) {
    CAPTURE(each.sql);
    auto task = app.ended(pool.execute(std::string_view(each.sql)));
    CHECK(task.code() == make_sqlite_error(each.code));
    CHECK(task.code() == condition::constraint);
    CHECK((task.code() == condition::unique) ==
          (each.code == SQLITE_CONSTRAINT_PRIMARYKEY || each.code == SQLITE_CONSTRAINT_UNIQUE));
    CHECK(task.text() == "database 'test': " + std::string(each.text) + " [" + each.sql + "]");
    CHECK(number("SELECT count(*) FROM t") == 1);
    CHECK(number("SELECT count(*) FROM child") == 0);
  }
  check_all_clean();
}

TEST_CASE_METHOD(Constrained, "constraints: foreign keys are kept, and a deferred one is looked at by the commit") {
  execute("INSERT INTO child VALUES (1)");
  CHECK(code(pool.execute("DELETE FROM t")) == condition::constraint);
  execute("CREATE TABLE late(t INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED) STRICT");
  CHECK(code(pool.write([](Connection& db) { db.execute("INSERT INTO late VALUES (99)"); })) == condition::constraint);
  run(pool.write([](Connection& db) {
    db.execute("INSERT INTO late VALUES (2)");
    db.execute("INSERT INTO t(a) VALUES (2)");
  }));
  auto transaction = run(pool.begin());
  run(transaction.execute("INSERT INTO late VALUES (99)"));
  CHECK(code(std::move(transaction).commit()) == condition::constraint);
  CHECK(numbers("SELECT t FROM late") == std::vector{2});
  check_all_clean();
}

TEST_CASE_METHOD(Constrained, "constraints: a conflict clause decides what is left of the statement") {
  CHECK(code(pool.execute("INSERT OR FAIL INTO t(a) VALUES (2), (1), (3)")) == condition::unique);
  CHECK(numbers("SELECT a FROM t ORDER BY a") == std::vector{1, 2});
  CHECK(run(pool.execute("INSERT OR IGNORE INTO t(a) VALUES (2), (4)")).changes == 1);
  CHECK(code(pool.execute("INSERT OR ROLLBACK INTO t(a) VALUES (5), (1)")) == condition::unique);
  CHECK(numbers("SELECT a FROM t ORDER BY a") == std::vector{1, 2, 4});
  execute(
      "CREATE TRIGGER no_six BEFORE INSERT ON t WHEN NEW.a = 6 BEGIN SELECT RAISE(ABORT, 'six is not for us'); END");
  auto raised = app.ended(pool.execute("INSERT INTO t(a) VALUES (6)"));
  CHECK(raised.code() == condition::constraint);
  CHECK(contains(raised.text(), "six is not for us"));
}

}  // namespace
}  // namespace statehouse::test
