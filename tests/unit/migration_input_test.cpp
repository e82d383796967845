// What was not written for this is told apart from what was, and nothing of it runs.

#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "error_of.hpp"
#include "files.hpp"
#include "migrate/source/file_name.hpp"
#include "migrate/source/newer_sqlite.hpp"
#include "migrate/source/other_tools.hpp"
#include "migrator_of.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migration_folder.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::contains;
using test::error_of;
using test::migrator_of;

namespace {

/// "goose!" where more would run than goose runs, "goose" where it has only comments for it.
std::string format_of(std::string_view script, migration_kind kind = migration_kind::simple) {
  const auto format = detail::find_foreign_format(script, kind);
  return format.tool + (format.runs_too_much ? "!" : "");
}

std::string words_of_a_tool(bool refused) {
  return refused ? "a tool that keeps both directions in one file!" : "";
}

std::string refusal(Connection& db, std::string_view file, std::string_view script) {
  const Migrator migrator = migrator_of({{file, script}});
  const auto planned = error_of<MigrationError>([&] { migrator.plan(db); });
  const auto run = error_of<MigrationError>([&] { migrator.run(db); });
  CHECK(std::string_view(planned.what()) == run.what());
  CHECK(run.code() == errc::migration_refused);
  CHECK(run.version() == 1);
  CHECK(run.line() > 0);
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_master") == 0);
  return run.what();
}

/// What `plan` warns of.
std::vector<std::string> warnings(std::string_view script) {
  Connection db(":memory:");
  std::vector<std::string> messages;
  const auto plan = migrator_of({{"1_a.sql", script}}).plan(db);
  for (const auto& remark : plan.at(0).remarks) {
    CHECK(remark.severity == problem_severity::warning);
    CHECK(remark.file == "1_a.sql");
    CHECK(remark.version == 1);
    messages.push_back(remark.message);
  }
  return messages;
}

template <class M>
concept gives_views = requires(M&& migrator) {
  std::forward<M>(migrator).migrations();
}
|| requires(M&& migrator) {
  std::forward<M>(migrator).ignored();
}
|| requires(M&& migrator) {
  std::forward<M>(migrator).options();
};

}  // namespace

TEST_CASE("migrations: a temporary Migrator gives no views of itself, which would dangle") {
  STATIC_CHECK(gives_views<Migrator&>);
  STATIC_CHECK(gives_views<const Migrator&>);
  STATIC_CHECK_FALSE(gives_views<Migrator>);
  STATIC_CHECK_FALSE(gives_views<const Migrator>);
}

TEST_CASE("other tools: a file with both directions is known by its tool's comments, however they are written") {
  const auto both = [](const std::string& up, const std::string& down) {
    return up + "\nCREATE TABLE note (id INTEGER PRIMARY KEY);\n" + down + "\nDROP TABLE note;\n";
  };
  CHECK(format_of(both("-- +goose Up", "-- +goose Down")) == "goose!");
  CHECK(format_of(both("--+goose up", "  --  +GOOSE   DOWN \r")) == "goose!");
  CHECK(format_of(both("-- +goose Up\n-- +goose StatementBegin", "-- +goose StatementEnd\n-- +goose Down")) ==
        "goose!");
  CHECK(format_of(both("-- migrate:up", "-- migrate:down")) == "dbmate!");
  CHECK(format_of(both("-- migrate:up transaction:false", "-- migrate:down transaction:false")) == "dbmate!");
  CHECK(format_of(both("\xEF\xBB\xBF-- +migrate Up", "-- +migrate Down notransaction")) == "sql-migrate!");
  CHECK(format_of(both("-- rambler up", "-- rambler down")) == "rambler!");
  CHECK(format_of(both("-- // create the notes", "-- //@UNDO")) == "MyBatis Migrations!");
  CHECK(format_of(both("-- // create the notes", "--//@UNDO")) == "MyBatis Migrations!");
  CHECK(format_of(both("", "-- @UNDO")) == "MyBatis Migrations!");
  CHECK(format_of(both("", "---- create above / drop below ----")) == "tern!");
  CHECK(format_of(both("--liquibase formatted sql\n--changeset me:1", "--rollback DROP TABLE note;")) == "Liquibase!");
  CHECK(format_of("-- changeset me:1 runOnChange:true\nCREATE TABLE a(x);") == "Liquibase!");
  for (const auto& [up, down] :
       {std::pair("-- Up", "-- Down"), std::pair("-- Up Migration", "-- Down Migration"),
        std::pair("-- ==== UP ====", "-- ==== DOWN ===="), std::pair("-- !Ups", "-- !Downs"),
        std::pair("-------\n-- Up\n-------", "-------\n-- Down:\n-------"), std::pair("-- UP", "-- rollback")})
    CHECK(format_of(both(up, down)) == words_of_a_tool(true));
}

TEST_CASE("other tools: only what their tool would not run is refused") {
  using enum migration_kind;
  // One direction to a file is right as it stands.
  CHECK(format_of("-- +goose Up\nCREATE TABLE a(x);\n-- +goose Down\n") == "goose");
  CHECK(format_of("-- migrate:up\nCREATE TABLE a(x);\n\n-- migrate:down\n-- nothing\n;\n") == "dbmate");
  CHECK(format_of("-- +goose NO TRANSACTION\nVACUUM;") == "goose");
  CHECK(format_of("-- migrate:up\nCREATE TABLE a(x);", up) == "dbmate");
  CHECK(format_of("-- migrate:down\nDROP TABLE a;", down) == "dbmate");
  CHECK(format_of("-- migrate:down\nDROP TABLE a;\n-- migrate:up\nCREATE TABLE a(x);", down) == "dbmate!");
  CHECK(format_of("-- migrate:down\nDROP TABLE a;", up) == "dbmate!");
  // Not a comment that begins a line.
  CHECK(format_of("INSERT INTO doc VALUES ('\n-- +goose Up\n-- +goose Down\n'); SELECT 1;").empty());
  CHECK(format_of("/*\n-- +goose Down\n*/ SELECT 1;").empty());
  CHECK(format_of("SELECT 1; -- +goose Down\nSELECT 2;").empty());
  CHECK(format_of("/* +goose Down */ SELECT 2;").empty());
  // What a person may have written.
  CHECK(format_of("-- Down\nDROP TABLE a;").empty());
  CHECK(format_of("-- rollback plan: restore the backup\n-- migrate up the users\nCREATE TABLE a(x);").empty());
  CHECK(format_of("-- Up to three names\nCREATE TABLE a(x);\n-- down the road: more\nCREATE TABLE b(x);").empty());
  CHECK(format_of("-- changeset for June\n-- goose up\n-- upgrade\nCREATE TABLE a(x);").empty());
  CHECK(format_of("-- Up\nCREATE TABLE a(x);", up).empty());
  CHECK(format_of("-- Down\nDROP TABLE a;", down).empty());
}

TEST_CASE("other tools: nothing of their files runs, and the error names the tool, the line and the files to make") {
  Connection db(":memory:");
  const std::string text =
      refusal(db, "1_init.sql",
              "-- +goose Up\nCREATE TABLE IF NOT EXISTS note (x);\n-- +goose Down\nDROP TABLE IF EXISTS note;");
  CHECK(contains(text, "1_init.sql:3"));
  CHECK(contains(text, "goose"));
  CHECK(contains(text, "-- +goose Down"));
  CHECK(contains(text, "1_init.up.sql"));
  CHECK(contains(text, "1_init.down.sql"));
  refusal(db, "1_init.sql", "-- no-transaction\n-- migrate:up\nCREATE TABLE a(x);\n-- migrate:down\nDROP TABLE a;");
}

TEST_CASE("other tools: a version that is applied already stays as it is, whatever its file holds") {
  Connection db(":memory:");
  const Migrator first = migrator_of({{"1_a.sql", "-- +goose Up\nCREATE TABLE a(x);\n-- +goose Down\nDROP TABLE a;"}});
  first.baseline(db, 1);
  CHECK(first.run(db).versions.empty());
}

TEST_CASE("input: what is no SQL is refused before anything runs, with the line and what it is") {
  Connection db(":memory:");
  CHECK(contains(refusal(db, "1_a.sql", ".bail on\n.headers on\nCREATE TABLE t (a);"), "sqlite3 shell"));
  const auto later = refusal(db, "1_a.sql", "CREATE TABLE t (a);\n\n.read other.sql\nSELECT 1;");
  CHECK(contains(later, "1_a.sql:3"));
  CHECK(contains(later, "[.read other.sql]"));
  CHECK(contains(refusal(db, "1_a.sql", "-- no-transaction\n.dump"), "sqlite3 shell"));
  CHECK(contains(refusal(db, "1_a.sql", "\\connect app\nCREATE TABLE t (a);"), "psql"));
  CHECK(contains(refusal(db, "1_a.sql", "# --- !Ups\nCREATE TABLE t (a);\n# --- !Downs\nDROP TABLE t;"), "'#'"));
  CHECK(warnings("SELECT .5, '.bail on\n.read x'; SELECT a.\n.b FROM (SELECT 1 AS b) AS a;").empty());
}

TEST_CASE("input: what the sqlite3 shell prints with .schema fails with what it is") {
  Connection db(":memory:");
  const Migrator migrator = migrator_of({{"1_a.sql",
                                          "CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, x);\n"
                                          "CREATE TABLE sqlite_sequence(name,seq);\n"}});
  const auto error = error_of<MigrationError>([&] { migrator.run(db); });
  INFO(error.what());
  CHECK(error.code() == errc::migration_failed);
  CHECK(error.line() == 2);
  CHECK(contains(error.what(), ".schema"));
  CHECK(contains(error.what(), "remove the statement"));
  const auto told = migrator.plan(db).at(0).remarks;
  REQUIRE(told.size() == 1);
  CHECK(contains(told[0].message, "1_a.sql:2) makes the table sqlite_sequence"));
  CHECK(warnings("CREATE TABLE IF NOT EXISTS \"SQLITE_stat1\"(tbl,idx,stat);").size() == 1);
  CHECK(warnings("CREATE TABLE sqlite3_users(x); CREATE TABLE a(sqlite_x); CREATE TABLE").empty());
}

TEST_CASE("input: a function that SQLite does not have is told with the version at hand, in migrations and elsewhere") {
  const std::string version = std::string("this is SQLite ") + sqlite3_libversion();
  Connection db(":memory:");
  const Migrator migrator = migrator_of({{"1_a.sql", "CREATE TABLE a(x);\nINSERT INTO a VALUES (jsonc('1'));"}});
  CHECK(contains(error_of([&] { migrator.run(db); }).what(), version));
  CHECK(contains(error_of([&] { db.execute("SELECT jsonc('1')"); }).what(), version));
  CHECK_FALSE(contains(error_of([&] { db.execute("SELECT * FROM nosuch"); }).what(), "this is SQLite"));
}

TEST_CASE("input: what this SQLite answers with NULL, as it is too old, is found where it is used") {
  const test::PlainDatabase db(":memory:");
  const int version = sqlite3_libversion_number();
  for (const std::string call :
       {"datetime('now', 'subsec')", "unixepoch('now', 'SUBSECOND')", "date('2024-01-31', '+1 month', 'floor')",
        "date('2024-01-31', '+1 month', \"ceiling\")", "strftime('%F', 'now')", "strftime('%Y %T', 'now', 'utc')",
        "strftime('%G-%V', 'now')", "strftime('%Y-%m-%d %H:%M:%f %%F', 'now')", "datetime('now', '+1 day', 'utc')"}) {
    CAPTURE(call);
    CHECK(detail::find_newer_feature("SELECT " + call, version).has_value() ==
          (db.scalar("SELECT " + call + " IS NULL") == 1));
    CHECK_FALSE(detail::find_newer_feature("SELECT " + call, 3'046'000));
  }
  const auto found = detail::find_newer_feature("CREATE TABLE t(at DEFAULT (datetime('now', 'subsec')))", 3'041'002);
  REQUIRE(found);
  CHECK(found->since == "3.42.0");
  CHECK(contains(found->name, "'subsec'"));
  for (const std::string script :
       {"INSERT INTO t VALUES ('subsec', '%F')", "SELECT upper('floor'), date('now') || 'floor'",
        "SELECT date /* ('subsec') */ FROM t", "SELECT strftime('%Y', '%F')", "SELECT date(';'), ('ceiling')", "date(",
        "strftime('%", "strftime('"})
    CHECK_FALSE(detail::find_newer_feature(script, 3'040'000));
}

TEST_CASE("input: a file without a statement is warned of by verify, plan and run, in both directions") {
  for (const std::string_view script : {"", "-- Add migration script here\n", " ;;\n", "/* CREATE TABLE a(x); */",
                                        "\xEF\xBB\xBF", "-- no-transaction", "\n-- CREATE TABLE a(x);\n"}) {
    CAPTURE(script);
    const auto told = warnings(script);
    REQUIRE(told.size() == 1);
    CHECK(contains(told[0], "migration 1 'a' (1_a.sql) has no statement"));
    const testing::TempDir dir;
    test::write_file(dir / "1_a.sql", script);
    bool verified = false;
    for (const auto& problem : verify_folder(dir.path()))
      verified =
          verified || (problem.severity == problem_severity::warning && contains(problem.message, "no statement"));
    CHECK(verified);
  }
  CHECK(warnings("SELECT 1").empty());

  const test::Fixture fixture;
  auto db = fixture.open();
  std::vector<std::string> told;
  const Migrator migrator = migrator_of({{"1_a.up.sql", ""}, {"1_a.down.sql", "-- Add down migration script here\n"}})
                                .with_options({.on_progress = [&](const MigrationProgress& progress) {
                                  for (const MigrationProblem& remark : progress.remarks)
                                    told.push_back(remark.message);
                                }});
  migrator.run(db);
  CHECK(fixture.log.count("1_a.up.sql) has no statement", spdlog::level::warn) == 1);
  CHECK(contains(migrator.plan_undo(db, 0).at(0).remarks.at(0).message, "1_a.down.sql) has no statement"));
  migrator.undo(db, 0);
  CHECK(fixture.log.count("1_a.down.sql) has no statement", spdlog::level::warn) == 1);
  CHECK(told.size() == 2);
}

TEST_CASE("input: who fills in what was applied without a statement is not told to record it") {
  struct Case {
    std::string_view applied, now;
  };
  for (const Case& one :
       {Case{"-- Add migration script here\n", "CREATE TABLE users(x);\n"},
        Case{"-- Add migration script here\n", "-- Add migration script here\r\nCREATE TABLE users(x);\r\n"},
        Case{"", "CREATE TABLE users(x);"}, Case{"-- Add up migration script here", "SELECT 1;"},
        Case{"-- TODO\n-- the users\n", "-- TODO\n-- the users\n\nCREATE TABLE users(x);\n"},
        Case{"-- nothing yet\n", "CREATE TABLE users(x);\n"}, Case{";;", "-- Users\nCREATE TABLE users(x);\n"},
        Case{"-- Users", "-- Users\n-- and their names\nCREATE TABLE users(x);\n"}}) {
    CAPTURE(one.applied, one.now);
    Connection db(":memory:");
    migrator_of({{"1_a.sql", one.applied}}).run(db);
    const auto error = error_of<MigrationError>([&] { migrator_of({{"1_a.sql", one.now}}).run(db); });
    CHECK(error.code() == errc::migration_mismatch);
    CHECK_FALSE(contains(error.what(), "repair"));
    CHECK(contains(error.what(), "have never run on this database"));
    CHECK(contains(error.what(), "a new migration"));
  }
  Connection db(":memory:");
  migrator_of({{"1_a.sql", "-- one\nCREATE TABLE a(x);"}}).run(db);
  const auto changed = error_of([&] { migrator_of({{"1_a.sql", "-- two\nCREATE TABLE a(x);"}}).run(db); });
  CHECK(contains(changed.what(), "statehouse migrate repair 1"));
  CHECK(contains(changed.what(), "Only where every statement of the file has run"));
}

TEST_CASE("input: a folder that yields nothing is an error that says what lies there and what to make of it") {
  struct Case {
    std::vector<std::string> files;
    std::vector<std::string_view> said;
  };
  const std::vector<Case> cases{
      {{}, {"It is empty", "statehouse migrate add"}},
      {{".gitkeep"}, {"It is empty"}},
      {{"README.md"}, {"In it: 'README.md'", "statehouse migrate add"}},
      {{"2025-01-01-000000_create_note/up.sql", "2025-01-01-000000_create_note/down.sql"},
       {"diesel", "'20250101000000_create_note.up.sql'", "'2025-01-01-000000_create_note/up.sql'"}},
      {{"20250101000000_init/migration.sql", "migration_lock.toml"}, {"Prisma", "'20250101000000_init.sql'"}},
      {{"20250101000000.sql", "atlas.sum"}, {"'20250101000000.sql' becomes '20250101000000_init.sql'", "atlas.sum"}},
      {{"2025/1_init.sql"}, {"2025/1_init.sql", "Folders in it are not read", "/2025'"}},
      {{"deploy/users.sql", "revert/users.sql", "verify/users.sql", "sqitch.plan"}, {"Sqitch", ".down.sql"}},
      {{"20250101_users.js", "20250102_posts.js"}, {"'20250101_users.js'", "another tool"}},
      {{"0001_initial.py", "__init__.py"}, {"another tool"}},
      {{"db.changelog.xml"}, {"another tool"}},
      {{"schema.sql"}, {"'schema.sql' becomes '20250101120000_schema.sql'"}},
      {{"1-init.sql"}, {"'1-init.sql' becomes '1_init.sql'"}},
      {{"1.up.sql", "1.down.sql"}, {"'1.down.sql' becomes '1_init.down.sql'"}},
      {{"1_A.SQL"}, {"'1_A.SQL' becomes '1_A.sql'"}},
      {{"a.sql", "b.sql", "c.sql", "d.sql", "e.sql", "f.sql", "g.sql", "h.sql"}, {"'e.sql' and 3 more"}},
  };
  for (const Case& one : cases) {
    const testing::TempDir dir;
    for (const std::string& file : one.files) {
      test::write_file(dir / file, "CREATE TABLE a(x);");
    }
    const auto error = error_of<MigrationError>([&] { Migrator::from_directory(dir.path()); });
    INFO(error.what());
    CHECK(error.code() == errc::migration_none);
    CHECK(error.file() == dir.path().string());
    CHECK(contains(error.what(), "holds no migrations"));
    CHECK(contains(error.what(), "20250101120000_create_users.sql"));
    for (const auto part : one.said) CHECK(contains(error.what(), part));
    bool verified = false;
    for (const auto& problem : verify_folder(dir.path()))
      verified = verified || (problem.severity == problem_severity::error && problem.message == error.what());
    CHECK(verified);
  }
  CHECK(error_of([] { migrator_of({{"schema.sql", ""}}); }).code() == errc::migration_none);
  Connection db(":memory:");
  CHECK(Migrator::from_files({}).plan(db).empty());
}

TEST_CASE("input: the name that was probably meant is known from what it was made of") {
  const std::pair<std::string_view, std::string_view> names[]{
      {"V1__init.sql", "1_init.sql"},
      {"v20250101__add_users.sql", "20250101_add_users.sql"},
      {"U2__add.sql", "2_add.down.sql"},
      {"0001-create_users.sql", "0001_create_users.sql"},
      {"1.sql", "1_init.sql"},
      {"7.up.sql", "7_init.up.sql"},
      {"1-init.down.sql", "1_init.down.sql"},
      {"2025-01-01-000000_create.sql", "20250101000000_create.sql"},
      {"20250101_120000_init.sql", "20250101120000_init.sql"},
      {"2025_01_01_120000_create_users.sql", "20250101120000_create_users.sql"},
      {"1_2fa.sql", ""},
      {"R__views.sql", ""},
      {"V1.2__x.sql", ""},
      {"V1_2__x.sql", ""},
      {"1.2_x.sql", ""},
      {"x.sql", ""},
      {".sql", ""},
      {"99999999999999999999_x.sql", ""},
      {"1_x.txt", ""}};
  for (const auto& [name, meant] : names) {
    CAPTURE(name);
    CHECK(detail::suggested_name(name) == meant);
  }
  CHECK(contains(error_of([] { migrator_of({{"V1__init.sql", ""}}); }).what(), "Is '1_init.sql' meant?"));
}

TEST_CASE("input: where '_' has cut a version short, the error of two and the warning of one say so") {
  const auto twins = error_of([] {
    migrator_of({{"20250101_120000_init.sql", "SELECT 1;"}, {"20250101_130000_more.sql", "SELECT 1;"}});
  });
  CHECK(contains(twins.what(), "The first '_' of a name ends its version: name it '20250101130000_more.sql'"));
  const auto small = error_of([] { migrator_of({{"1_1_a.sql", ""}, {"1_2_b.sql", ""}}); });
  CHECK(contains(small.what(), "The first '_' of a name ends its version. Give the one"));

  const testing::TempDir dir;
  test::write_file(dir / "20250101_120000_init.sql", "SELECT 1;");
  test::write_file(dir / "20250102_2fa.sql", "SELECT 1;");
  const auto problems = verify_folder(dir.path());
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == problem_severity::warning);
  CHECK(contains(problems[0].message, "has the version 20250101"));
  CHECK(contains(problems[0].message, "'20250101120000_init.sql'"));
}

TEST_CASE("verify: .sql files in a folder of the folder are warned of") {
  const testing::TempDir dir;
  std::filesystem::create_directory(dir / "old");
  std::filesystem::create_directory(dir / "notes");
  test::write_file(dir / "1_a.sql", "SELECT 1;");
  test::write_file(dir / "old/2_b.sql", "SELECT 1;");
  test::write_file(dir / "notes/why.txt", "so");
  const auto problems = verify_folder(dir.path());
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == problem_severity::warning);
  CHECK(problems[0].file == (dir / "old").string());
  CHECK(contains(problems[0].message, "are not read"));
}
