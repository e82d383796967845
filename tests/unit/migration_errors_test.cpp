#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "child_process.hpp"
#include "error_of.hpp"
#include "migrator_of.hpp"
#include "open_session.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::contains;
using test::error_of;
using test::first_checksum;
using test::migrator_of;

/// What a person reads, and what a program can ask, when something is wrong with migrations.
namespace {

MigrationError error_of_run(Connection& db, std::initializer_list<EmbeddedFile> files) {
  return error_of<MigrationError>([&] { migrator_of(files).run(db); });
}

void check_text(const MigrationError& error, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts) {
    INFO(error.what());
    INFO(part);
    CHECK(contains(error.what(), part));
  }
}

/// A database named "test" with version 2 'b' applied from "CREATE TABLE b(x);\n".
struct Applied {
  test::Fixture fixture;
  Connection db = fixture.open();
  Applied() { migrator_of({{"2_b.sql", "CREATE TABLE b(x);\n"}}).run(db); }
};

}  // namespace

TEST_CASE("migration errors: dirty names the version, the table and the ways out") {
  Applied applied;
  applied.db.execute("UPDATE _sqlx_migrations SET success = FALSE");
  const auto error = error_of_run(applied.db, {{"2_b.sql", "CREATE TABLE b(x);\n"}});
  CHECK(error.code() == errc::migration_dirty);
  CHECK(error.version() == 2);
  CHECK(error.database() == "test");
  check_text(error, {"database 'test'", "migration 2 'b'", "not finished", "repair", "_sqlx_migrations"});
}

TEST_CASE("migration errors: missing names the version, its description and the ways out") {
  Applied applied;
  const auto error = error_of_run(applied.db, {{"1_a.sql", ""}});
  CHECK(error.code() == errc::migration_missing);
  CHECK(error.version() == 2);
  check_text(error, {"database 'test'", "migration 2 'b'", "Restore its file", "ignore_missing"});
}

TEST_CASE("migration errors: a mismatch names what differs, where that is only line ends, a mark or blanks") {
  Applied applied;
  const std::pair<std::string_view, std::string_view> contents[]{
      {"CREATE TABLE b(x);\r\n", "only this differs: line ends (it had LF)"},
      {"\xEF\xBB\xBF"
       "CREATE TABLE b(x);\n",
       "only this differs: a byte order mark (it had none)"},
      {"CREATE TABLE b(x);  \n\n", "only this differs: blanks at line ends or at the end of the file"},
      {"CREATE TABLE b(y);\n", "The content differs"}};
  for (const auto& [content, difference] : contents) {
    const auto error = error_of_run(applied.db, {{"2_b.sql", content}});
    CHECK(error.code() == errc::migration_mismatch);
    CHECK(error.version() == 2);
    CHECK(error.file() == "2_b.sql");
    check_text(error, {"database 'test'", "migration 2 'b' (2_b.sql)", difference, "Restore the file",
                       to_hex(first_checksum(migrator_of({{"2_b.sql", content}}))),
                       to_hex(first_checksum(migrator_of({{"2_b.sql", "CREATE TABLE b(x);\n"}})))});
  }
}

TEST_CASE("migration errors: a duplicate names the version and both files") {
  const auto error = error_of<MigrationError>([] { migrator_of({{"7_a.sql", ""}, {"07_b.sql", ""}}); });
  CHECK(error.code() == errc::migration_source);
  CHECK(error.version() == 7);
  CHECK(error.file() == "7_a.sql");
  check_text(error, {"version 7", "07_b.sql", "7_a.sql", "another version"});
}

TEST_CASE("migration errors: an unreadable file is named with the system's reason") {
  const testing::TempDir dir;
  std::ofstream(dir / "1_a.sql") << "SELECT 1;";
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(dir / "1_a.sql", std::filesystem::perms::none);
  const std::string text = test::as_nobody([&]() -> std::string {
    try {
      Migrator::from_directory(dir.path());
    } catch (const MigrationError& error) {
      const bool right = error.code() == errc::migration_source && error.file() == (dir / "1_a.sql").string() &&
                         error.cause() == std::error_code(EACCES, std::generic_category());
      return right ? error.what() : "wrong fields";
    }
    return "no error";
  });
  CHECK(text ==
        "cannot read the migration file '" + (dir / "1_a.sql").string() + "': Permission denied; make it readable");
}

TEST_CASE("migration errors: bad content names file and line") {
  using namespace std::string_view_literals;
  for (const auto& [content, what] : {std::pair("SELECT 1;\n\0"sv, "a NUL byte in line 2"sv),
                                      std::pair("SELECT 1;\n\n\xFF"sv, "not UTF-8 in line 3"sv)}) {
    const auto error = error_of<MigrationError>([&] { migrator_of({{"7_a.sql", content}}); });
    CHECK(error.code() == errc::migration_source);
    CHECK(error.version() == 7);
    CHECK(error.file() == "7_a.sql");
    CHECK(error.line() > 1);
    check_text(error, {"7_a.sql", what, "save it as UTF-8"});
  }
}

TEST_CASE("migration errors: a refused statement names file, line and statement, and says what to do") {
  Applied applied;
  const auto error = error_of_run(
      applied.db, {{"2_b.sql", "CREATE TABLE b(x);\n"}, {"3_c.sql", "\n-- first\nCREATE TABLE c(x);\n\n  commit ;\n"}});
  CHECK(error.code() == errc::migration_refused);
  CHECK(error.version() == 3);
  CHECK(error.file() == "3_c.sql");
  CHECK(error.line() == 5);
  CHECK(error.sql() == "commit");
  check_text(error,
             {"database 'test'", "migration 3 'c' (3_c.sql:5)", "before anything is changed", "-- no-transaction"});
}

TEST_CASE("migration errors: a failed statement names file, line, statement, SQLite's code and text") {
  Applied applied;
  const auto error = error_of_run(
      applied.db,
      {{"2_b.sql", "CREATE TABLE b(x);\n"},
       {"3_c.sql", "CREATE TABLE c(x UNIQUE);\nINSERT INTO c VALUES (1);\n\nINSERT INTO c\nVALUES (1);\n"}});
  CHECK(error.code() == errc::migration_failed);
  CHECK(error.cause() == make_sqlite_error(SQLITE_CONSTRAINT_UNIQUE));
  CHECK(error.version() == 3);
  CHECK(error.file() == "3_c.sql");
  CHECK(error.line() == 4);
  CHECK(error.sql() == "INSERT INTO c VALUES (1)");
  check_text(error, {"migration 3 'c' (3_c.sql:4)", "UNIQUE constraint failed: c.x (SQLite 2067)",
                     "rolled back as a whole", "[INSERT INTO c VALUES (1)]"});
}

TEST_CASE("migration errors: an unknown or passed target is named") {
  Applied applied;
  const auto migrator = migrator_of({{"1_a.sql", ""}, {"2_b.sql", "CREATE TABLE b(x);\n"}});
  const auto unknown = error_of<MigrationError>([&] { migrator.run_to(applied.db, 5); });
  CHECK(unknown.code() == errc::migration_target);
  CHECK(unknown.version() == 5);
  const auto passed = error_of<MigrationError>([&] { migrator.run_to(applied.db, 1); });
  CHECK(passed.code() == errc::migration_target);
  CHECK(passed.version() == 1);
  check_text(passed, {"2 is applied already", "undo"});
}

TEST_CASE("migration errors: undo of a set that lacks an applied version is told, unless missing ones are ignored") {
  Applied applied;
  const auto migrator = migrator_of({{"1_a.up.sql", ""}, {"1_a.down.sql", ""}});
  CHECK(error_of<MigrationError>([&] { migrator.undo(applied.db, 0); }).code() == errc::migration_missing);
  const auto lenient = migrator.with_options({.ignore_missing = true});
  CHECK(lenient.run(applied.db).versions == std::vector<std::int64_t>{1});
  CHECK(lenient.undo(applied.db, -100).versions == std::vector<std::int64_t>{1});
  CHECK(applied.db.query_all<std::int64_t>("SELECT version FROM _sqlx_migrations") == std::vector<std::int64_t>{2});
}
