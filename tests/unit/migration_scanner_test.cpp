#include "migrate/source/script_facts.hpp"

#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

using namespace statehouse::detail;

namespace {

std::vector<std::string> statements(std::string_view script) {
  std::vector<std::string> result;
  SqlScanner scanner(script);
  while (const auto statement = scanner.next_statement()) result.emplace_back(statement->text);
  return result;
}

std::string refused(std::string_view script) {
  const auto facts = examine(script);
  return facts.transaction_control ? std::string(facts.transaction_control->text) : "";
}

bool keys_off(std::string_view script) {
  return examine(script).keys_off.has_value();
}

/// How many statements SQLite itself finds; -1 when it does not understand the script.
int sqlite_statements(const std::string& script) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db,
                       "CREATE TABLE a(id INTEGER PRIMARY KEY, v); CREATE VIEW w AS SELECT 1 AS x; CREATE TABLE log(m)",
                       nullptr, nullptr, nullptr) == SQLITE_OK);
  int count = 0;
  for (const char* next = script.c_str(); *next != '\0' && count >= 0;) {
    sqlite3_stmt* statement = nullptr;
    const int result = sqlite3_prepare_v2(db, next, -1, &statement, &next);
    if (result != SQLITE_OK) {
      count = -1;
    } else if (statement != nullptr) {
      ++count;
    }
    sqlite3_finalize(statement);
  }
  sqlite3_close(db);
  return count;
}

}  // namespace

TEST_CASE("scanner: statements end where SQLite ends them") {
  const std::string scripts[]{
      "",
      " ;; ; ",
      "-- only; a comment",
      "/* only; a comment */",
      "/* open",
      "SELECT 1",
      "SELECT 1;SELECT 2",
      ";SELECT 1;;SELECT 2;",
      "SELECT ';', \"v;\", `v;`, [v;] FROM (SELECT 1 AS \"v;\");",
      "SELECT 'it''s; fine';",
      "SELECT 1 -- ; '\n, 2; SELECT 3;",
      "SELECT 1 /* ; ' */, 2; SELECT 3 /* ; */;",
      "SELECT ?, ?1, :a, @b, $c, $d::e(;), 1;",
      "SELECT x'00', 1.5e-3, 0x1F, 1--2\n;",
      "\xEF\xBB\xBFSELECT 1;\xEF\xBB\xBF SELECT 2;",
      "SELECT 1\r\n;\r\nSELECT 2\r\n",
      "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END; SELECT 3;",
      "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET v = CASE WHEN 1 THEN 2 ELSE 3 END; SELECT 2; END; SELECT "
      "3;",
      "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO log VALUES ('END;'); END; SELECT 3;",
      "CREATE TEMPORARY TRIGGER IF NOT EXISTS t AFTER DELETE ON a WHEN old.id > 1 BEGIN SELECT 1 /* ; END; */; "
      "END;SELECT 3",
      "create trigger main.t instead of insert on w begin select 1; select 2; end;select 3",
      "EXPLAIN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 3;",
      "EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 3;",
      "/* x */ CREATE -- y\nTRIGGER \"t;\" AFTER INSERT ON a BEGIN\n SELECT 1;\n END\n ;\n SELECT 3;",
      "CREATE TRIGGER begin AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 3;",
      "CREATE TABLE trigger_(begin, end); SELECT 1;",
      "CREATE TABLE t(\"create\" , [trigger]); SELECT 1;",
      "CREATE VIRTUAL TABLE f USING fts5(x; y, tokenize = (a; 'b)'); c); SELECT 3;",
      "EXPLAIN CREATE VIRTUAL TABLE IF NOT EXISTS main.f USING fts5(;); SELECT 3",
      "CREATE VIRTUAL TABLE f USING fts5; SELECT 3; SELECT (4)",
      "SAVEPOINT s; RELEASE s; ROLLBACK TO s",
      "BEGIN; COMMIT; END; ROLLBACK",
      "SELECT '",
      "SELECT \"",
  };
  for (const std::string& script : scripts) {
    INFO(script);
    const int expected = sqlite_statements(script);
    if (expected >= 0) CHECK(static_cast<int>(statements(script).size()) == expected);
  }
  CHECK(statements("a;b ; c").at(1) == "b");
}

TEST_CASE("scanner: transaction control is found wherever a statement may begin") {
  CHECK(refused("BEGIN") == "BEGIN");
  CHECK(refused("begin immediate transaction;") == "begin immediate transaction");
  CHECK(refused("SELECT 1; -- x\n /* y */ Commit ;") == "Commit");
  CHECK(refused("END TRANSACTION;") == "END TRANSACTION");
  CHECK(refused("ROLLBACK;") == "ROLLBACK");
  CHECK(refused("ROLLBACK TRANSACTION;") == "ROLLBACK TRANSACTION");
  CHECK(refused(";;;COMMIT") == "COMMIT");
  CHECK(refused("\xEF\xBB\xBF"
                "BEGIN;") == "BEGIN");
  CHECK(refused("SELECT ';' ; COMMIT") == "COMMIT");
  CHECK(refused("SELECT 'it''s' ; COMMIT") == "COMMIT");
  CHECK(refused("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; COMMIT;") == "COMMIT");
  CHECK(refused("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; END;") == "END");
  CHECK(refused("CREATE TABLE trigger_(x); BEGIN;") == "BEGIN");
}

TEST_CASE("scanner: what only looks like transaction control is left alone") {
  for (const auto script : {
           "SAVEPOINT s; RELEASE s; RELEASE SAVEPOINT s;",
           "ROLLBACK TO s",
           "ROLLBACK TO SAVEPOINT s",
           "ROLLBACK TRANSACTION TO s",
           "rollback transaction x to savepoint s",
           "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;",
           "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT CASE WHEN 1 THEN 1 END; END;",
           "SELECT 'x; COMMIT;'",
           "-- ; COMMIT;\nSELECT 1",
           "/* ; COMMIT; */ SELECT 1",
           "SELECT 1 AS \"; COMMIT\"",
           "SELECT [; COMMIT]",
           "SELECT `; COMMIT;`",
           "SELECT $a(;COMMIT)",
           "CREATE VIRTUAL TABLE f USING fts5(x; COMMIT)",
           "EXPLAIN COMMIT",
           "SELECT end FROM t",
           "INSERT OR ROLLBACK INTO a VALUES (1)",
           "CREATE TABLE commits(x)",
           "\"COMMIT\"",
           "",
           ";",
       }) {
    INFO(script);
    CHECK(refused(script).empty());
  }
}

TEST_CASE("scanner: a PRAGMA that switches foreign keys off is recognised in every spelling SQLite takes") {
  for (const auto script :
       {"PRAGMA foreign_keys = OFF", "pragma foreign_keys=0;", "PRAGMA foreign_keys(no)",
        "PRAGMA main.foreign_keys = False", "PRAGMA \"foreign_keys\" = 'off'", "PRAGMA foreign_keys=00",
        "PRAGMA /* x */ foreign_keys -- y\n = OFF", "SELECT 1; PRAGMA foreign_keys=off; SELECT 2;",
        "PRAGMA foreign_keys = disabled", "PRAGMA foreign_keys=ON; PRAGMA foreign_keys=OFF;"}) {
    INFO(script);
    CHECK(keys_off(script));
  }
  for (const auto script :
       {"PRAGMA foreign_keys", "PRAGMA foreign_keys = ON", "PRAGMA foreign_keys(1)", "PRAGMA foreign_keys=yes",
        "PRAGMA foreign_keys='true'", "PRAGMA foreign_keys=2", "PRAGMA defer_foreign_keys = OFF",
        "PRAGMA foreign_key_check", "PRAGMA foreign_key_list(a)", "SELECT 'PRAGMA foreign_keys = OFF'",
        "-- PRAGMA foreign_keys = OFF", "PRAGMA", "PRAGMA main.", "PRAGMA ="}) {
    INFO(script);
    CHECK_FALSE(keys_off(script));
  }
}

TEST_CASE("scanner: a script that leaves its transaction and comes back is told from one that does not") {
  for (const auto script :
       {"COMMIT; BEGIN", "END TRANSACTION; PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE; SELECT 1; END; begin",
        "commit; -- BEGIN\nBEGIN EXCLUSIVE TRANSACTION;"}) {
    INFO(script);
    const auto facts = examine(script);
    CHECK_FALSE(facts.transaction_control);
    CHECK(facts.commit);
  }
  for (const auto& [script, where] : {std::pair("COMMIT; BEGIN; COMMIT", std::size_t{15}),
                                      {"BEGIN; COMMIT", 0},
                                      {"COMMIT; COMMIT; BEGIN", 8},
                                      {"COMMIT; BEGIN; BEGIN", 15},
                                      {"COMMIT; BEGIN; ROLLBACK; BEGIN", 15},
                                      {"COMMIT; ROLLBACK", 8}}) {
    INFO(script);
    const auto facts = examine(script);
    REQUIRE(facts.transaction_control);
    CHECK(facts.transaction_control->offset == where);
    CHECK_FALSE(facts.commit);
  }
}

TEST_CASE("scanner: the table that a statement creates, drops, renames or fills is found in every spelling") {
  const auto statement = [](std::string_view sql) { return SqlScanner(sql).next_statement().value(); };
  CHECK(dropped_table(statement("drop table if exists main.\"P\"")) == "P");
  CHECK(dropped_table(statement("DROP TABLE temp.[a b]")) == "temp.a b");
  CHECK(dropped_table(statement("DROP VIEW p")).empty());
  CHECK(created_table(statement("CREATE TABLE IF NOT EXISTS `x` (a)")) == "x");
  CHECK(created_table(statement("CREATE TEMPORARY TABLE x AS SELECT 1")) == "temp.x");
  CHECK(created_table(statement("CREATE VIRTUAL TABLE x USING fts5(a)")) == "x");
  CHECK(created_table(statement("CREATE INDEX x ON y(a)")).empty());
  CHECK(inserted_table(statement("INSERT OR IGNORE INTO o.x VALUES (1)")) == "o.x");
  CHECK(inserted_table(statement("REPLACE INTO x VALUES (1)")) == "x");
  CHECK(inserted_table(statement("DELETE FROM x")).empty());
  CHECK(renaming(statement("ALTER TABLE main.n RENAME TO [p]"))->to == "p");
  CHECK_FALSE(renaming(statement("ALTER TABLE n RENAME COLUMN a TO p")));
}

TEST_CASE("scanner: random text neither ends it early nor makes it read beyond the end") {
  const std::string pieces[]{
      "BEGIN",        "END", ";",      "'",       "\"",  "[",    "]",    "`",  "--",           "/*",       "*/",
      "\n",           " ",   "CREATE", "TRIGGER", "$a(", ")",    "::",   ":b", "\xEF\xBB\xBF", "\xC3\xA9", "PRAGMA",
      "foreign_keys", "=",   "OFF",    "TO",      ".",   "DROP", "TABLE"};
  std::uint32_t state = 7;
  for (int round = 0; round < 5000; ++round) {
    std::string script;
    for (int i = 0; i < 24; ++i) {
      state = state * 1664525u + 1013904223u;
      script += pieces[(state >> 8) % std::size(pieces)];
      if ((state >> 28) % 2 == 0) script += ' ';
    }
    SqlScanner scanner(script);
    std::size_t end = 0;
    while (const auto statement = scanner.next_statement()) {
      CHECK(statement->offset >= end);
      end = statement->offset + statement->text.size();
      REQUIRE(end <= script.size());
    }
    examine(script);
  }
}
