#include <spdlog/spdlog.h>
#include <SQLiteCpp/Database.h>

#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sqlx_case.hpp"
#include "statehouse/testing/temp_dir.hpp"
#include "text/trim.hpp"

/// What sqlx does with a script is what SQLite does with it, inside BEGIN and COMMIT with the bookkeeping row. These
/// scripts go both ways, through the plain C API and through the Migrator, and must end alike.
using namespace statehouse;
using namespace std::string_view_literals;
using test::PlainDatabase;
namespace json = boost::json;

namespace {

struct Case {
  std::string_view name;
  std::vector<EmbeddedFile> files;
};

constexpr std::string_view bookkeeping = R"(CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
))";

/// The version that fails, if one does.
std::optional<std::int64_t> apply_plainly(const std::filesystem::path& file, const Migrator& migrator) {
  const PlainDatabase db(file);
  const auto succeeds = [&](const std::string& sql) { return db.try_execute(sql) == SQLITE_OK; };
  db.execute("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;" + std::string(bookkeeping));
  for (const Migration& migration : migrator.migrations()) {
    if (migration.kind == migration_kind::down) continue;
    const std::string script(detail::trim(migration.sql));
    const std::string record =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (" +
        std::to_string(migration.version) + ", '" + migration.description + "', TRUE, x'" + to_hex(migration.checksum) +
        "', 1)";
    if (migration.no_transaction) {
      if (!succeeds(script) || !succeeds(record)) return migration.version;
      continue;
    }
    db.execute("BEGIN");
    if (succeeds(script) && succeeds(record) && succeeds("COMMIT")) continue;
    db.try_execute("ROLLBACK");
    return migration.version;
  }
  return std::nullopt;
}

std::optional<std::int64_t> apply_with_migrator(const std::filesystem::path& file, const Migrator& migrator,
                                                std::string& message) {
  Connection db(file);
  try {
    migrator.run(db);
  } catch (const MigrationError& error) {
    CHECK(error.code() == errc::migration_failed);
    CHECK(error.cause().category() == sqlite_category());
    CHECK(error.file() == std::to_string(*error.version()) + "_x.sql");
    message = error.what();
    return error.version();
  }
  return std::nullopt;
}

const std::string many_statements = [] {
  std::string script = "CREATE TABLE big(id INTEGER PRIMARY KEY, v TEXT);\n";
  for (int i = 0; i < 20000; ++i)
    script += "INSERT INTO big VALUES (" + std::to_string(i) + ", 'row; number -- " + std::to_string(i) + "');\n";
  return script;
}();
const std::string long_statement = [] {
  std::string script = "CREATE TABLE big(v TEXT); INSERT INTO big VALUES ('";
  script.append(3'000'000, 'x');
  return script + "')";
}();

const std::vector<Case> cases{
    // Texts without statements, and odd ones between them.
    {"empty", {{"1_x.sql", ""}, {"2_x.sql", "\n\t \r\n"}, {"3_x.sql", ";"}, {"4_x.sql", ";;;\n;"}}},
    {"comments only", {{"1_x.sql", "-- nothing; here"}, {"2_x.sql", "/* nor; here */"}, {"3_x.sql", "/* open"}}},
    {"a byte order mark alone", {{"1_x.sql", "\xEF\xBB\xBF"}}},
    {"semicolons around", {{"1_x.sql", ";;CREATE TABLE a(x);;\n;;INSERT INTO a VALUES (1);;"}}},
    {"comments around",
     {{"1_x.sql", "/* ; */ CREATE /* ; */ TABLE a(x) -- ;\n; -- END;\n/**/ /* ' */ SELECT 1; -- '"}}},
    {"quotes", {{"1_x.sql", R"(CREATE TABLE "a;b"(`x;y`, [z;w]); INSERT INTO "a;b" VALUES ('it''s;', ';--'))"}}},
    {"white space at both ends", {{"1_x.sql", "\xC2\xA0\xE2\x80\x83 CREATE TABLE a(x); \xE3\x80\x80\n"}}},
    {"no-break space inside", {{"1_x.sql", "CREATE TABLE\xC2\xA0 a(x);"}}},
    {"old Mac line ends", {{"1_x.sql", "CREATE TABLE a(x);\rINSERT INTO a VALUES (1);\r-- INSERT INTO a VALUES (2);"}}},
    {"emoji in names", {{"1_x.sql", "CREATE TABLE \xF0\x9F\xA6\x80(\xC3\xA9 DEFAULT '\xF0\x9F\x8E\x89');"}}},
    {"many statements", {{"1_x.sql", many_statements}}},
    {"a long statement", {{"1_x.sql", long_statement}}},
    // Statements that give rows.
    {"rows are ignored",
     {{"1_x.sql",
       "CREATE TABLE a(x); INSERT INTO a VALUES (1), (2), (3) RETURNING x; SELECT * FROM a; VALUES (1), (2);"
       "UPDATE a SET x = x + 1 WHERE x > 1 RETURNING *; DELETE FROM a WHERE x = 1 RETURNING x;"}}},
    {"EXPLAIN", {{"1_x.sql", "CREATE TABLE a(x); EXPLAIN COMMIT; EXPLAIN QUERY PLAN SELECT * FROM a;"}}},
    {"PRAGMAs that answer", {{"1_x.sql", "CREATE TABLE a(x); PRAGMA table_info(a); PRAGMA integrity_check;"}}},
    {"parameters", {{"1_x.sql", "CREATE TABLE a(x); INSERT INTO a VALUES (?), (:n), (@m), ($k::j(l)), (?7);"}}},
    // Everything a schema can hold.
    {"triggers",
     {{"1_x.sql",
       "CREATE TABLE a(x); CREATE TABLE log(m);\nCREATE TRIGGER t AFTER INSERT ON a WHEN new.x > 0 BEGIN\n  INSERT "
       "INTO "
       "log VALUES (CASE new.x WHEN 1 THEN 'one' ELSE 'END;' END);\n  UPDATE a SET x = x; SELECT 1; -- END;\nEND;\n"
       "INSERT INTO a VALUES (1), (2);"},
      {"2_x.sql", "CREATE TEMP TRIGGER s AFTER DELETE ON a BEGIN DELETE FROM log; END; DELETE FROM a WHERE x = 1"}}},
    {"a trigger that ends the script without a semicolon",
     {{"1_x.sql", "CREATE TABLE a(x); CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END"}}},
    {"views and INSTEAD OF",
     {{"1_x.sql",
       "CREATE TABLE a(x); CREATE VIEW v AS SELECT x FROM a; CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN "
       "INSERT INTO a VALUES (new.x); END; INSERT INTO v VALUES (5);"}}},
    {"WITHOUT ROWID and STRICT",
     {{"1_x.sql",
       "CREATE TABLE a(k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID; INSERT INTO a VALUES ('k', 1.5);"}}},
    {"generated columns and CHECK",
     {{"1_x.sql",
       "CREATE TABLE a(x, y AS (x * 2) STORED, z AS (x || '!') VIRTUAL, CHECK (x < 10)); INSERT INTO a(x) "
       "VALUES (4); CREATE INDEX i ON a(z) WHERE y > 1;"},
      {"2_x.sql", "INSERT INTO a(x) VALUES (5); INSERT INTO a(x) VALUES (11);"}}},
    {"AUTOINCREMENT",
     {{"1_x.sql",
       "CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO a DEFAULT VALUES;"
       "UPDATE sqlite_sequence SET seq = 100; INSERT INTO a DEFAULT VALUES;"}}},
    {"FTS5 kept up to date by triggers",
     {{"1_x.sql",
       "CREATE TABLE doc(id INTEGER PRIMARY KEY, body); CREATE VIRTUAL TABLE f USING fts5(body, content='doc', "
       "content_rowid='id'); CREATE TRIGGER ai AFTER INSERT ON doc BEGIN INSERT INTO f(rowid, body) VALUES (new.id, "
       "new.body); END; INSERT INTO doc(body) VALUES ('hello world'); CREATE TABLE hits AS SELECT rowid FROM f WHERE f "
       "MATCH 'world'; INSERT INTO f(f) VALUES ('optimize');"}}},
    {"R*Tree", {{"1_x.sql", "CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES (1, 0, 2);"}}},
    {"JSON", {{"1_x.sql", R"(CREATE TABLE a(j); INSERT INTO a SELECT value FROM json_each('[1,{"a":";"}]');)"}}},
    {"ALTER TABLE of every kind",
     {{"1_x.sql", "CREATE TABLE a(x, y); INSERT INTO a VALUES (1, 2);"},
      {"2_x.sql",
       "ALTER TABLE a ADD COLUMN z DEFAULT 3; ALTER TABLE a RENAME COLUMN y TO w; ALTER TABLE a DROP COLUMN x;"
       "ALTER TABLE a RENAME TO b;"}}},
    {"a schema table changed by hand",
     {{"1_x.sql",
       "CREATE TABLE a(x CHECK (x > 0)); PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE "
       "TABLE a(x)' WHERE name = 'a'; PRAGMA writable_schema = RESET;"}}},
    {"settings in the file", {{"1_x.sql", "PRAGMA user_version = 7; PRAGMA application_id = 42;"}}},
    {"ANALYZE and REINDEX",
     {{"1_x.sql", "CREATE TABLE a(x); CREATE INDEX i ON a(x); INSERT INTO a VALUES (1); REINDEX;"}}},
    {"a recursive query",
     {{"1_x.sql",
       "CREATE TABLE a AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM "
       "n WHERE i < 40) SELECT i FROM n;"}}},
    // Savepoints, temporary and attached databases.
    {"savepoints",
     {{"1_x.sql",
       "SAVEPOINT s; CREATE TABLE a(x); SAVEPOINT t; CREATE TABLE b(x); ROLLBACK TO t; RELEASE s;"
       "ROLLBACK TRANSACTION TO SAVEPOINT nosuch;"}}},
    {"an open savepoint", {{"1_x.sql", "SAVEPOINT s; CREATE TABLE a(x);"}, {"2_x.sql", "CREATE TABLE b(x);"}}},
    {"temporary tables reach into the next script",
     {{"1_x.sql", "CREATE TEMP TABLE t(x); INSERT INTO t VALUES (9);"},
      {"2_x.sql", "CREATE TABLE a AS SELECT x FROM t;"}}},
    {"attached databases reach into the next script",
     {{"1_x.sql", "-- no-transaction\nATTACH ':memory:' AS o; CREATE TABLE o.t(x); INSERT INTO o.t VALUES (3);"},
      {"2_x.sql", "CREATE TABLE a AS SELECT x FROM o.t;"}}},
    // What fails, and how much of it stays.
    {"a syntax error at the end", {{"1_x.sql", "CREATE TABLE a(x); CREATE TABLE b(x); CREATE TABLE"}}},
    {"text after the last semicolon", {{"1_x.sql", "CREATE TABLE a(x); oops"}}},
    {"an unclosed quote", {{"1_x.sql", "CREATE TABLE a(x); INSERT INTO a VALUES ('oops);"}}},
    {"ON CONFLICT ROLLBACK ends the transaction",
     {{"1_x.sql", "CREATE TABLE a(x UNIQUE); INSERT INTO a VALUES (1); INSERT OR ROLLBACK INTO a VALUES (1);"}}},
    {"RAISE(ROLLBACK) ends the transaction",
     {{"1_x.sql", "CREATE TABLE a(x); CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT RAISE(ROLLBACK, 'no'); END;"},
      {"2_x.sql", "CREATE TABLE b(x); INSERT INTO a VALUES (1);"}}},
    {"RAISE(IGNORE) and OR IGNORE",
     {{"1_x.sql", "CREATE TABLE a(x UNIQUE); INSERT INTO a VALUES (1); INSERT OR IGNORE INTO a VALUES (1);"}}},
    {"a deferred foreign key",
     {{"1_x.sql",
       "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p DEFERRABLE "
       "INITIALLY DEFERRED); INSERT INTO c VALUES (1);"}}},
    {"a foreign key at once",
     {{"1_x.sql", "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p);"},
      {"2_x.sql", "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1), (2);"}}},
    {"query_only makes recording fail", {{"1_x.sql", "CREATE TABLE a(x); PRAGMA query_only = ON;"}}},
    {"a checkpoint inside a transaction", {{"1_x.sql", "CREATE TABLE a(x); PRAGMA wal_checkpoint(TRUNCATE);"}}},
    {"DETACH of what is not there", {{"1_x.sql", "DETACH nosuch;"}}},
    {"an extension", {{"1_x.sql", "SELECT load_extension('nosuch');"}}},
    {"the bookkeeping row of a later version",
     {{"1_x.sql", "INSERT INTO _sqlx_migrations VALUES (2, 'x', '', 1, x'', 0);"}, {"2_x.sql", "CREATE TABLE a(x);"}}},
    // Outside a transaction.
    {"alone: several transactions",
     {{"1_x.sql",
       "-- no-transaction\nBEGIN; CREATE TABLE a(x); COMMIT; BEGIN IMMEDIATE; INSERT INTO a VALUES (1); END;"
       "BEGIN; INSERT INTO a VALUES (2); ROLLBACK; VACUUM;"}}},
    {"alone: what came before a failure stays",
     {{"1_x.sql", "-- no-transaction\nCREATE TABLE a(x);\nINSERT INTO a VALUES (1);\nINSERT INTO nosuch VALUES (1);"}}},
    {"alone: page size and VACUUM", {{"1_x.sql", "-- no-transaction\nPRAGMA page_size = 8192; VACUUM;"}}},
    {"alone: auto_vacuum", {{"1_x.sql", "-- no-transaction\nPRAGMA auto_vacuum = INCREMENTAL; VACUUM;"}}},
    {"alone: with CRLF", {{"1_x.sql", "-- no-transaction\r\nCREATE TABLE a(x);\r\nVACUUM;\r\n"}}},
    {"alone: only the header", {{"1_x.sql", "-- no-transaction"}}},
    // Versions.
    {"versions at the limits",
     {{"9223372036854775807_x.sql", "CREATE TABLE c(x);"},
      {"-9223372036854775808_x.sql", "CREATE TABLE a(x);"},
      {"0_x.sql", "CREATE TABLE b(x); INSERT INTO a VALUES (1);"}}},
};

}  // namespace

TEST_CASE("scripts: whatever SQLite makes of a script inside BEGIN and COMMIT, a migration makes of it") {
  spdlog::set_level(spdlog::level::off);
  for (const Case& script : cases) {
    DYNAMIC_SECTION(script.name) {
      const testing::TempDir dir;
      const auto migrator = Migrator::from_files(script.files);
      std::string message;
      const auto expected = apply_plainly(dir / "plain.db", migrator);
      const auto actual = apply_with_migrator(dir / "ours.db", migrator, message);
      INFO(message);
      CHECK(actual == expected);
      CHECK(json::serialize(test::state_of(dir / "ours.db")) == json::serialize(test::state_of(dir / "plain.db")));
    }
  }
  spdlog::set_level(spdlog::level::info);
}

TEST_CASE("scripts: one that changes the journal mode runs, and the database is in WAL mode afterwards") {
  spdlog::set_level(spdlog::level::off);
  const testing::TempDir dir;
  const EmbeddedFile files[]{{"1_a.sql", "-- no-transaction\nPRAGMA journal_mode = DELETE;\nCREATE TABLE a(x);"}};
  {
    Connection db(dir / "a.db");
    CHECK(Migrator::from_files(files).run(db).versions.size() == 1);
    CHECK(db.query_one<std::string>("PRAGMA journal_mode") == "wal");
  }
  CHECK(PlainDatabase(dir / "a.db").text("PRAGMA journal_mode") == "wal");
  spdlog::set_level(spdlog::level::info);
}

TEST_CASE("scripts: triggers that feed an FTS5 table work on connections that trust the schema") {
  spdlog::set_level(spdlog::level::off);
  const testing::TempDir dir;
  const EmbeddedFile files[]{
      {"1_a.sql",
       "CREATE TABLE doc(body); CREATE VIRTUAL TABLE f USING fts5(body); CREATE TRIGGER t AFTER INSERT ON doc "
       "BEGIN INSERT INTO f VALUES (new.body); END; INSERT INTO doc VALUES ('one');"}};
  {
    Connection db(dir / "a.db");
    CHECK(Migrator::from_files(files).run(db).versions.size() == 1);
    int trusted = 1;
    sqlite3_db_config(db.native().getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, -1, &trusted);
    CHECK(trusted == 0);
  }
  ConnectionOptions options;
  options.trusted_schema = true;
  Connection db(dir / "a.db", options);
  const EmbeddedFile more[]{files[0], {"2_b.sql", "-- no-transaction\nCREATE TABLE b(x);"}};
  CHECK(Migrator::from_files(more).run(db).versions.size() == 1);  // and are what they were afterwards
  db.execute("INSERT INTO doc VALUES ('two')");
  CHECK(db.query_one<int>("SELECT count(*) FROM f WHERE f MATCH 'two OR one'") == 2);
  spdlog::set_level(spdlog::level::info);
}
