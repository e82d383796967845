#include <catch2/catch_test_macros.hpp>
#include <string>

#include "error_of.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// What verify says of a folder: "warning 2 3 ..." with severity, version and line, a line each; notes are left out.
std::string problems(const Workshop& shop) {
  const json::object document = shop.json({"migrate", "verify"}).document();
  std::string text;
  for (const auto& problem : document.at("problems").as_array()) {
    if (problem.at("severity") == "note") continue;
    text += text_of(problem.at("severity")) + ' ' + json::serialize(problem.at("version")) + ' ' +
            json::serialize(problem.at("line")) + ' ' + text_of(problem.at("message")) + '\n';
  }
  return text;
}

/// Two tables, one of which refers to the other, and the script that follows.
std::string after_two_tables(const std::string& script) {
  const Workshop shop;
  shop.migration("1_tables.sql",
                 "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, CHECK(id > 5));\n"
                 "CREATE TABLE orders(id INTEGER PRIMARY KEY, user REFERENCES users(id));\n"
                 "CREATE TRIGGER t BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'no'); END;");
  shop.migration("2_change.sql", script);
  return problems(shop);
}

}  // namespace

TEST_CASE("verify applies every script in memory, and tells file and line of the first that fails") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE a(x);");
  shop.migration("2_b.sql", "CREATE INDEX i ON a(x);\nCREATE INDEX j\n  ON a(y);\n");
  shop.migration("3_c.sql", "CREATE TABLE a(x);");
  const std::string told = problems(shop);
  CHECK(told.starts_with("error 2 "));
  CHECK(contains(told, "2_b.sql"));
  CHECK(contains(told, "no such column: y"));
  CHECK_FALSE(contains(told, "error 3"));  // nobody knows
  CHECK(shop.json({"migrate", "verify"}).exit_code == 1);
  CHECK(shop.files() == std::vector<std::string>{"migrations"});
}

TEST_CASE("verify reverts every script and applies it again, and tells what a down file does not take back") {
  const Workshop shop;
  shop.migration("1_a.up.sql", "CREATE TABLE a(x);");
  shop.migration("1_a.down.sql", "DROP TABLE a;");
  shop.migration("2_b.up.sql", "CREATE TABLE b(x); CREATE INDEX i ON b(x); ALTER TABLE a ADD COLUMN y;");
  shop.migration("2_b.down.sql", "DROP TABLE b; ALTER TABLE a DROP COLUMN y;");
  CHECK(problems(shop).empty());

  shop.migration("2_b.down.sql", "DROP INDEX i; ALTER TABLE a DROP COLUMN y;");
  const std::string left = problems(shop);
  CHECK(contains(left, "warning 2 null the migration file 'migrations/2_b.down.sql' does not take back"));
  CHECK(contains(left, "table 'b' is there, and should not be"));
  CHECK(contains(left, "error 2 "));
  CHECK(contains(left, "applied again after it was reverted: "));

  shop.migration("2_b.up.sql", "CREATE TABLE IF NOT EXISTS b(x); ALTER TABLE a ADD COLUMN y;");
  shop.migration("2_b.down.sql", "ALTER TABLE a DROP COLUMN y; DROP TABLE a; CREATE TABLE a(x INT);");
  const std::string changed = problems(shop);
  CHECK(contains(changed, "table 'a' is another: CREATE TABLE a(x INT) in place of CREATE TABLE a(x)"));
  CHECK_FALSE(contains(changed, "error"));

  shop.migration("2_b.down.sql", "DROP TABLE nosuch;");
  CHECK(problems(shop).starts_with("error 2 1 "));
}

TEST_CASE("verify: how a schema is written is no difference") {
  const Workshop shop;
  shop.migration("1_a.up.sql", "CREATE TABLE users (  -- who\n  id INTEGER PRIMARY KEY,\n  \"name\" TEXT\n);");
  shop.migration("1_a.down.sql", "DROP TABLE users;");
  shop.migration("2_b.up.sql", "ALTER TABLE users RENAME TO people; ALTER TABLE people ADD age;");
  shop.migration("2_b.down.sql",
                 "CREATE TABLE n(id integer primary key,[name] TEXT); INSERT INTO n SELECT id, name FROM people;"
                 "DROP TABLE people; ALTER TABLE n RENAME TO \"users\";");
  CHECK(problems(shop).empty());
}

TEST_CASE("verify: versions without a way back lie between others, and each is tried as far as it goes") {
  const Workshop shop;
  shop.migration("1_a.up.sql", "CREATE TABLE a(x);");
  shop.migration("1_a.down.sql", "DROP TABLE a;");
  shop.migration("2_b.sql", "CREATE VIEW v AS SELECT x FROM a;");
  shop.migration("3_c.up.sql", "CREATE TABLE c(x);");
  shop.migration("3_c.down.sql", "SELECT 1;");
  const std::string told = problems(shop);
  CHECK(contains(told, "warning 3 null"));
  for (const char* fine : {"warning 1 ", "error 1 ", "warning 2 ", "error 2 "}) CHECK_FALSE(contains(told, fine));
}

TEST_CASE("verify: a dropped table that others refer to is warned of, however it is written") {
  for (const std::string script : {"SELECT 1;\nDROP TABLE users;", "SELECT 1;\ndrop table if exists \"Users\";",
                                   "SELECT 1; /*\n*/ DROP TABLE main.[users]; CREATE TABLE other(x);"}) {
    CAPTURE(script);
    const std::string told = after_two_tables(script);
    CHECK(contains(told, "warning 2 2 migrations/2_change.sql:2 drops 'users', which 'orders' refers to"));
  }
  for (const std::string script : {"DROP TABLE orders; DROP TABLE users;", "DROP TABLE orders;",
                                   "DROP TABLE users; CREATE TABLE users(id INTEGER PRIMARY KEY);",
                                   "DROP TABLE users; DROP TABLE orders; CREATE TABLE orders(x);"}) {
    CAPTURE(script);
    CHECK_FALSE(contains(after_two_tables(script), "refers to"));
  }
}

TEST_CASE("verify: a rebuild that renames the old table first is warned of, the right order is not") {
  const std::string first =
      "ALTER TABLE users RENAME TO old;\nCREATE TABLE users(id INTEGER PRIMARY KEY, name);\n"
      "INSERT INTO users SELECT * FROM old;\n";
  for (const auto& script : {first, first + "DROP TABLE old;"}) {
    CAPTURE(script);
    const std::string told = after_two_tables(script);
    CHECK(contains(told, "warning 2 1 migrations/2_change.sql:1 renames 'users' out of the way"));
    CHECK(contains(told, "references of 'orders' go with it to 'old'"));
    CHECK_FALSE(contains(told, "drops 'old'"));
  }
  CHECK_FALSE(contains(after_two_tables("ALTER TABLE users RENAME TO people;"), "out of the way"));
  CHECK(after_two_tables("CREATE TABLE new(id INTEGER PRIMARY KEY, name); INSERT INTO new SELECT * FROM users;"
                         "DROP TABLE users; ALTER TABLE new RENAME TO users;")
            .empty());
}

TEST_CASE("verify: a column that a table with rows does not take is warned of, with what SQLite will say") {
  for (const std::string column :
       {"COLUMN age INT NOT NULL", "age INT NOT NULL", "age NOT NULL DEFAULT NULL", "at DEFAULT CURRENT_TIMESTAMP",
        "at DEFAULT (random())", "chief DEFAULT 1 REFERENCES users(id)", "age DEFAULT 0 CHECK(age > 0)"}) {
    for (const std::string table : {"users", "\"Orders\""}) {
      CAPTURE(column, table);
      const std::string told = after_two_tables("SELECT 1;\n\nALTER TABLE " + table + " ADD " + column + ";");
      CHECK(contains(told, "warning 2 3 migrations/2_change.sql:3 alters '"));
      CHECK(contains(told, "fails as soon as it has rows ("));
    }
  }
  for (const std::string script :
       {"ALTER TABLE users ADD COLUMN age INT NOT NULL DEFAULT 0;", "ALTER TABLE users ADD COLUMN age INT;",
        "CREATE TABLE n(x); ALTER TABLE n ADD y NOT NULL;", "ALTER TABLE orders DROP COLUMN user;",
        "DROP TABLE orders; CREATE TABLE o2(x); ALTER TABLE o2 ADD y NOT NULL;"}) {
    CAPTURE(script);
    CHECK(after_two_tables(script).empty());
  }
}

TEST_CASE("verify: what is temporary and left at the end of a script is warned of") {
  for (const std::string script :
       {"SELECT 1;\nCREATE TEMP TABLE keep(x);", "\nCREATE TEMPORARY TABLE keep AS SELECT 1;",
        "\nCREATE TEMP VIEW keep AS SELECT 1;", "\nCREATE TABLE temp.keep(x);"}) {
    CAPTURE(script);
    CHECK(contains(after_two_tables(script), "warning 2 2 migrations/2_change.sql:2 leaves the temporary"));
  }
  CHECK(after_two_tables("CREATE TEMP TABLE keep(x); INSERT INTO keep VALUES (1); DROP TABLE keep;").empty());
}

TEST_CASE("verify --strict makes errors of warnings, with file and line") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE a(x);");
  shop.migration("2_b.sql", "\nALTER TABLE a ADD y NOT NULL;");
  CHECK(shop.json({"migrate", "verify"}).exit_code == 0);
  const ToolRun strict = shop.json({"migrate", "verify", "--strict"});
  CHECK(strict.exit_code == 1);
  CHECK(text_of(strict.document().at("error").at("file")) == "migrations/2_b.sql");
  CHECK(strict.document().at("error").at("line") == 2);
}

TEST_CASE("verify opens no file that a script names, and tells from where on nothing is tried") {
  for (const std::string script : {"-- no-transaction\nATTACH 'made.db' AS m; CREATE TABLE m.x(y);",
                                   "-- no-transaction\nVACUUM INTO 'made.db';", "ATTACH 'made.db' AS m;"}) {
    CAPTURE(script);
    const Workshop shop;
    shop.migration("1_a.up.sql", "CREATE TABLE a(x);");
    shop.migration("1_a.down.sql", "DROP TABLE a;");
    shop.migration("2_b.sql", script);
    shop.migration("3_c.sql", "CREATE TABLE a(x);");
    const ToolRun run = shop.run({"migrate", "verify"});
    CHECK(run.exit_code == 0);
    CHECK(contains(run.out, "2_b.sql' opens a file of its own: from it on, nothing is tried"));
    CHECK(shop.files() == std::vector<std::string>{"migrations"});
  }
  const Workshop shop;
  shop.migration("1_a.up.sql", "-- no-transaction\nVACUUM;");
  shop.migration("1_a.down.sql", "-- no-transaction\nVACUUM INTO 'made.db';");
  CHECK(contains(shop.run({"migrate", "verify"}).out, "1_a.down.sql' opens a file of its own"));
  CHECK(shop.files() == std::vector<std::string>{"migrations"});
}

TEST_CASE("verify: functions, modules and collations of the server are no errors, as it may have them") {
  for (const std::string script :
       {"CREATE TABLE b AS SELECT our_function(1);", "CREATE VIRTUAL TABLE b USING our_module;",
        "CREATE INDEX i ON a(x COLLATE ours);"}) {
    CAPTURE(script);
    const Workshop shop;
    shop.migration("1_a.sql", "CREATE TABLE a(x);");
    shop.migration("2_b.sql", script);
    CHECK(contains(problems(shop), "warning 2 "));
    CHECK(contains(problems(shop), "Where the server registers it"));
  }
}

TEST_CASE("verify: a CHECK that a table has had before is no matter of a column that is added") {
  for (const std::string column : {"z INT CHECK(z > 0)", "z INT DEFAULT 1 CHECK(z > 0)", "z CHECK(z <> s)"}) {
    CAPTURE(column);
    const Workshop shop;
    shop.migration("1_a.sql", "CREATE TABLE t(s TEXT CHECK(s IN ('a', 'b')), n INT, CHECK(n > 100))");
    shop.migration("2_b.sql", "ALTER TABLE t ADD COLUMN " + column);
    CHECK(problems(shop).empty());
    shop.migration("2_b.sql", "ALTER TABLE t ADD COLUMN z DEFAULT 0 CHECK(z > 0)");
    CHECK(contains(problems(shop), "fails as soon as it has rows (CHECK constraint failed"));
  }
}
