#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// The dump of a new database that these statements have made.
std::string dump_of(const Workshop& shop, const std::string& file, const std::string& sql) {
  PlainDatabase(shop / file).execute(sql);
  const ToolRun run = shop.run({"db", "schema", "--database", file});
  CHECK(run.exit_code == 0);
  CHECK(run.err.empty());
  return run.out;
}

}  // namespace

TEST_CASE("db schema prints what makes the same schema again, in one order, and without what others keep there") {
  const Workshop shop;
  const std::string table = "CREATE TABLE b (\n\tid INTEGER PRIMARY KEY AUTOINCREMENT,  -- which\n\tt TEXT\n)";
  const std::string one =
      dump_of(shop, "one.db",
              table +
                  ";CREATE TRIGGER c AFTER INSERT ON b BEGIN SELECT 1; END; CREATE VIEW v AS SELECT 1;"
                  "CREATE INDEX i ON b(t); CREATE TABLE a(x UNIQUE); ANALYZE;"
                  "CREATE TABLE _sqlx_migrations(version); CREATE VIRTUAL TABLE f USING fts5(t);");
  CHECK(one == "CREATE TABLE a(x UNIQUE);\n" + table +
                   ";\nCREATE VIRTUAL TABLE f USING fts5(t);\nCREATE INDEX i ON b(t);\nCREATE VIEW v AS SELECT 1;\n"
                   "CREATE TRIGGER c AFTER INSERT ON b BEGIN SELECT 1; END;\n");
  CHECK(dump_of(shop, "two.db", one) == one);
  CHECK(dump_of(shop, "none.db", "PRAGMA user_version = 1").empty());
  CHECK(shop.json({"db", "schema", "--database", "one.db"}).document().at("schema").as_array().size() == 6);
}

TEST_CASE("db schema prints it byte for byte, and to a terminal what does not control it") {
  const Workshop shop;
  const std::string dump = dump_of(shop, "x.db", "CREATE TABLE a(\tx DEFAULT '\x1b[2J')");
  CHECK(dump == "CREATE TABLE a(\tx DEFAULT '\x1b[2J');\n");
  const std::string shown = TerminalRun(shop.path(), {"db", "schema", "--database", "x.db"}).finish().out;
  CHECK(contains(shown, "CREATE TABLE a(    x DEFAULT '?[2J');"));
}

TEST_CASE(
    "db schema --check ends with 3 and tells how the schema differs from that of a file, however that is written") {
  const Workshop shop;
  PlainDatabase(shop / "x.db")
      .execute("CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT); CREATE INDEX i ON a(x)");
  const ToolProcess::Words check{"db", "schema", "--database", "x.db", "--check", "schema.sql"};
  write_file(shop / "schema.sql",
             "-- as .schema prints it\r\nCREATE INDEX IF NOT EXISTS nothing ON sqlite_schema(name);\r\n");
  const ToolRun broken = shop.json(check);
  CHECK(broken.exit_code == 1);
  CHECK(broken.kind() == "script_failed");
  CHECK(broken.document().at("error").at("line") == 2);

  write_file(shop / "schema.sql",
             "CREATE TABLE IF NOT EXISTS \"a\" (id integer primary key autoincrement,\r\n  x TEXT);\r\n"
             "CREATE TABLE sqlite_sequence(name,seq);\r\nCREATE INDEX i ON a(x)");
  CHECK(shop.json(check).exit_code == 0);
  CHECK(contains(shop.run(check).out, "the schema is that of schema.sql"));

  write_file(shop / "schema.sql", "CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, x INT); CREATE TABLE b(x);");
  const ToolRun differs = shop.json(check);
  CHECK(differs.exit_code == 3);
  CHECK(differs.document().at("ok") == true);
  const std::string told = json::serialize(differs.document().at("differences"));
  for (const char* part : {"table 'a' is another", "table 'b' is missing", "index 'i' is there, and should not be"})
    CHECK(contains(told, part));
  CHECK(contains(shop.run(check).out, "3 differences to schema.sql"));
  CHECK(shop.json({"db", "schema", "--database", "x.db", "--check", "nosuch.sql"}).kind() == "not_found");
  CHECK(shop.json({"db", "schema", "--database", "nosuch.db"}).kind() == "not_found");
}

TEST_CASE("db schema: a comment at the end of a statement does not swallow the semicolon after it") {
  const Workshop shop;
  for (const std::string comment : {"-- c", "--", "/* c */", "/* c", "-- '", "/* '\n-- */"}) {
    CAPTURE(comment);
    const std::string dump = dump_of(
        shop, "x.db", "CREATE TABLE t(x); CREATE VIEW v2 AS SELECT 2; CREATE VIEW v1 AS SELECT x FROM t " + comment);
    write_file(shop / "schema.sql", dump);
    CHECK(shop.json({"db", "schema", "--database", "x.db", "--check", "schema.sql"}).exit_code == 0);
    CHECK(dump_of(shop, "y.db", dump) == dump);
    std::filesystem::remove(shop / "x.db");
    std::filesystem::remove(shop / "y.db");
  }
}
