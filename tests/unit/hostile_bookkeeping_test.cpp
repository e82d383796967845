#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

#include "error_of.hpp"
#include "migrator_of.hpp"
#include "plain_database.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"

// Files from strangers: whatever stands where the bookkeeping should, nothing works without end, and nothing runs.

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;

namespace {

constexpr const char* table =
    "CREATE TABLE _sqlx_migrations(version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT "
    "NULL "
    "DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);";

std::string numbers(const std::string& count) {
  return "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n" +
         (count.empty() ? "" : " WHERE i < " + count) + ") ";
}

/// What migrating a file that was made by `sql` comes to.
void check_refused(const std::string& sql, const std::string& said) {
  CAPTURE(sql);
  TempDir dir;
  PlainDatabase(dir / "x.db").execute(sql);
  Connection connection(dir / "x.db");
  const Migrator migrator = migrations({"CREATE TABLE t(x)"});
  for (const bool run : {false, true}) {
    const auto error = error_of<MigrationError>(
        [&] { run ? static_cast<void>(migrator.run(connection)) : static_cast<void>(migrator.plan(connection)); });
    CHECK(error.code() == errc::migration_failed);
    CHECK(contains(error.what(), "the table _sqlx_migrations of this database does not record migrations: " + said));
    CHECK(contains(error.what(), "Give MigratorOptions another table, or rename this one"));
  }
  CHECK(connection.query_one<int>("SELECT count(*) FROM sqlite_master WHERE name = 't'") == 0);
  // The limit is the bookkeeping's alone.
  CHECK(connection.query_one<int>("SELECT length(zeroblob(1000000))") == 1'000'000);
}

}  // namespace

TEST_CASE("migrations: a bookkeeping that is a view or a virtual table is refused, also one without end") {
  const std::string row =
      " 'a' AS description, '' AS installed_on, 1 AS success, x'' AS checksum, 0 AS execution_time ";
  const std::string said = "it is a view or a virtual table";
  check_refused("CREATE VIEW _sqlx_migrations AS " + numbers("") + "SELECT i AS version," + row + "FROM n", said);
  check_refused("CREATE VIEW _sqlx_migrations AS SELECT 1 AS version," + row, said);
  check_refused("CREATE VIEW _SQLX_Migrations AS SELECT 1 AS version," + row, said);
  check_refused("CREATE VIRTUAL TABLE _sqlx_migrations USING fts5(version, description, success, checksum)", said);
}

TEST_CASE("migrations: a bookkeeping of a million rows ends at its limit") {
  check_refused(table + numbers("1000000") + "INSERT INTO _sqlx_migrations SELECT i, 'a', '', 1, x'00', 0 FROM n",
                "it has more than 10000 rows");
  check_refused(
      "CREATE TABLE _sqlx_migrations(version, description, installed_on, success, checksum, execution_time);" +
          numbers("10001") + "INSERT INTO _sqlx_migrations SELECT 10001 - i, NULL, NULL, NULL, NULL, NULL FROM n",
      "it has more than 10000 rows");
}

TEST_CASE("migrations: values of megabytes in the bookkeeping are refused, stored or computed") {
  const std::string said = "a value of it is longer than 262144 bytes";
  const std::string large = "VALUES (1, 'a', '', 1, zeroblob(50000000), 0)";
  check_refused(std::string(table) + "INSERT INTO _sqlx_migrations " + large, said);
  check_refused(
      std::string(table) + "INSERT INTO _sqlx_migrations VALUES (1, hex(zeroblob(20000000)), '', 1, x'00', 0)", said);
  check_refused(
      "CREATE TABLE _sqlx_migrations(version BIGINT PRIMARY KEY, description TEXT AS (printf('%*c', 900000000, 'x')), "
      "installed_on, success, checksum AS (zeroblob(900000000)), execution_time);" +
          numbers("2") + "INSERT INTO _sqlx_migrations(version, success) SELECT i, 1 FROM n",
      said);
}

TEST_CASE("migrations: many applied ones with long descriptions are read as ever") {
  TempDir dir;
  PlainDatabase(dir / "x.db")
      .execute(table + numbers("10000") +
               "INSERT INTO _sqlx_migrations SELECT i, printf('%*c', 255, 'd'), '2025-01-01 00:00:00', 1, "
               "randomblob(48), 0 FROM n");
  Connection connection(dir / "x.db");
  const auto applied = migrations({"CREATE TABLE t(x)"}).status(connection);
  CHECK(applied.size() == 10'000);
}
