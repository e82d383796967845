#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <string>

#include "error_of.hpp"
#include "open_session.hpp"

using namespace statehouse;
using test::code_of;
using test::session;

namespace {

struct Ids {
  test::Fixture fixture;
  Connection db = fixture.open();

  Ids() {
    db.execute_script(
        "CREATE TABLE stranger(id INTEGER PRIMARY KEY);"
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER DEFAULT 0);"
        "CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER);");
    db.execute("INSERT INTO stranger VALUES (77)");
  }
  std::int64_t id(const std::string& sql) { return db.execute(sql).last_insert_rowid; }
};

}  // namespace

TEST_CASE("row id: of the row that the statement inserted, the last of several, the same one twice") {
  Ids test;
  CHECK(test.id("INSERT INTO t(name) VALUES ('a')") == 1);
  CHECK(test.id("INSERT INTO t(name) VALUES ('b'), ('c')") == 3);
  CHECK(test.id("INSERT INTO child VALUES (3, 0)") == 3);
  CHECK(test.id("INSERT INTO stranger VALUES (3)") == 3);
  CHECK(test.id("INSERT OR REPLACE INTO t VALUES (3, 'd', 0)") == 3);
  CHECK(test.id("INSERT INTO t(id, name) VALUES (-5, 'e')") == -5);
  CHECK(test.id("INSERT INTO t(name) VALUES ('f') ON CONFLICT DO NOTHING") == 4);
  CHECK(test.id("INSERT INTO t(name) VALUES ('g'), ('f') ON CONFLICT(name) DO UPDATE SET n = n + 1") == 5);
}

TEST_CASE("row id: 0 where the statement inserted no row") {
  Ids test;
  test.db.execute("INSERT INTO t(name) VALUES ('a')");
  test.db.execute("INSERT INTO stranger VALUES (78)");
  const char* const none[]{"INSERT INTO t(name) VALUES ('a') ON CONFLICT DO NOTHING",
                           "INSERT OR IGNORE INTO t(name) VALUES ('a')",
                           "INSERT INTO t(name) VALUES ('a') ON CONFLICT(name) DO UPDATE SET n = n + 1",
                           "INSERT INTO t SELECT * FROM t WHERE 0",
                           "UPDATE t SET n = 5",
                           "DELETE FROM t WHERE 0",
                           "SELECT * FROM t",
                           "CREATE TABLE another(a)",
                           "CREATE TABLE without(a PRIMARY KEY) WITHOUT ROWID",
                           "INSERT INTO without VALUES (1)"};
  for (const char* const sql : none) {
    CAPTURE(sql);
    CHECK(test.id(sql) == 0);
  }
  CHECK(test.db.query_one<int>("SELECT n FROM t") == 5);
}

TEST_CASE("row id: rows that triggers insert do not count, and a view has none") {
  Ids test;
  test.db.execute_script(
      "CREATE TRIGGER into_child AFTER INSERT ON t BEGIN INSERT INTO child VALUES (500, NEW.id); END;"
      "CREATE TRIGGER on_update AFTER UPDATE ON t BEGIN INSERT INTO child VALUES (600, NEW.id); END;"
      "CREATE VIEW v AS SELECT name FROM t;"
      "CREATE TRIGGER into_view INSTEAD OF INSERT ON v BEGIN INSERT INTO stranger VALUES (700); END;");
  CHECK(test.id("INSERT INTO t(name) VALUES ('a')") == 1);
  CHECK(test.id("UPDATE t SET n = 1") == 0);
  CHECK(test.id("INSERT INTO v VALUES ('x')") == 0);
}

TEST_CASE("row id: SQL's last_insert_rowid() is that of the earlier statement, as in SQLite") {
  Ids test;
  CHECK(test.id("INSERT INTO t(name) VALUES ('parent')") == 1);
  test.db.execute("UPDATE t SET n = last_insert_rowid() + 10");
  CHECK(test.id("INSERT INTO t(name) VALUES ('parent') ON CONFLICT DO NOTHING") == 0);
  CHECK(test.id("INSERT INTO child VALUES (9, last_insert_rowid())") == 9);
  CHECK(test.db.query_one<std::int64_t>("SELECT parent FROM child") == 1);
  CHECK(test.db.query_one<std::int64_t>("SELECT n FROM t") == 11);
  CHECK(test.db.query_one<std::int64_t>("SELECT last_insert_rowid()") == 9);
  // Rows of one statement see each other's.
  CHECK(test.id("INSERT INTO child SELECT 20 + value, last_insert_rowid() FROM json_each('[0, 1]')") == 21);
  CHECK(test.db.query_one<std::int64_t>("SELECT parent FROM child WHERE id = 20") == 9);
}

TEST_CASE("row id: SQL's last_insert_rowid() in a trigger of a schema that is not trusted is that of its own row") {
  Ids test;
  test.db.execute_script(
      "CREATE TABLE log(id INTEGER);"
      "CREATE TRIGGER logged AFTER INSERT ON t BEGIN INSERT INTO log VALUES (last_insert_rowid()); END;");
  CHECK(test.id("INSERT INTO t(id, name) VALUES (41, 'a')") == 41);
  CHECK(test.db.query_one<std::int64_t>("SELECT id FROM log") == 41);
}

TEST_CASE("row id: a statement that fails leaves SQLite's number as it was") {
  Ids test;
  CHECK(test.id("INSERT INTO t(name) VALUES ('a')") == 1);
  CHECK(code_of([&] { test.db.execute("INSERT INTO t(name) VALUES ('a')"); }) == condition::unique);
  CHECK(test.db.query_one<std::int64_t>("SELECT last_insert_rowid()") == 1);
  CHECK(sqlite3_last_insert_rowid(session(test.db).handle().get()) == 1);
}
