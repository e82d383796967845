#include <catch2/catch_test_macros.hpp>
#include <string>
#include <thread>
#include <vector>

#include "child_process.hpp"
#include "cluster_fixture.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

AppStateOptions migrating(const ClusterFixture& cluster) {
  AppStateOptions options;
  options.pool.readers = 1;
  options.pool.connection.busy_timeout = 20s;
  options.pool.cluster.nodes = cluster.addresses();
  options.pool.cluster.dial_timeout = 5s;
  return options;
}

Migrator three_steps() {
  return migrations(
      {"CREATE TABLE a(id INTEGER PRIMARY KEY, done TEXT);\n"
       "CREATE TABLE log(what TEXT);\n"
       "CREATE TRIGGER noted AFTER INSERT ON a BEGIN INSERT INTO log VALUES ('in; out'); SELECT 1; END;\n"
       "INSERT INTO a VALUES (1, 'x')",
       "CREATE TABLE b(a INTEGER REFERENCES a ON DELETE CASCADE); INSERT INTO b VALUES (1);",
       // A rebuild, whose foreign keys are off meanwhile.
       "CREATE TABLE new_a(id INTEGER PRIMARY KEY, done TEXT NOT NULL); INSERT INTO new_a SELECT * FROM a;\n"
       "DROP TABLE a; ALTER TABLE new_a RENAME TO a;"});
}

/// Opens and migrates, and says what is there.
std::string migrated(const AppStateOptions& options) {
  ThreadedApp app(options);
  app.state->db_instances.add_migrator("test", three_steps());
  Pool pool = app.open();
  const auto count = [&](std::string sql) { return std::to_string(app.run(pool.query_one<int>(sql))) + ' '; };
  return count("SELECT count(*) FROM _sqlx_migrations") + count("SELECT count(*) FROM a") +
         count("SELECT count(*) FROM b") + count("SELECT count(*) FROM log") + count("PRAGMA foreign_keys");
}

TEST_CASE("cluster: migrations are applied as to a file, and once") {
  ClusterFixture cluster;
  CHECK(migrated(migrating(cluster)) == "3 1 1 1 1 ");
  CHECK(migrated(migrating(cluster)) == "3 1 1 1 1 ");
}

TEST_CASE("cluster: processes that migrate an empty cluster at once apply each migration once") {
  ClusterFixture cluster;
  std::vector<std::string> seen(3);
  std::vector<std::thread> processes;
  for (std::string& each : seen)
    processes.emplace_back([&] { each = in_child([&] { return migrated(migrating(cluster)); }); });
  for (std::thread& each : processes) each.join();
  for (const std::string& each : seen) CHECK(each == "3 1 1 1 1 ");
}

TEST_CASE("cluster: a migration that fails leaves nothing, and says where") {
  ClusterFixture cluster;
  ThreadedApp app(migrating(cluster));
  app.state->db_instances.add_migrator(
      "test", migrations({"CREATE TABLE a(id INTEGER PRIMARY KEY);\nINSERT INTO a VALUES (1), (1);"}));
  const auto error = error_of<MigrationError>([&] { app.open(); });
  CHECK(error.code() == errc::migration_failed);
  CHECK(contains(error.what(), "UNIQUE"));
  app.state->db_instances.add_migrator("test", migrations({"CREATE TABLE a(id INTEGER PRIMARY KEY)"}));
  CHECK_NOTHROW(app.open());
}

TEST_CASE("cluster: a migration that declares a column which kills nodes is refused, and nothing of it is kept") {
  ClusterFixture cluster;
  ThreadedApp app(migrating(cluster));
  app.state->db_instances.add_migrator("test", migrations({"CREATE TABLE a(x); CREATE TABLE b(at DATETIME)"}));
  const auto error = error_of([&] { app.open(); });
  CAPTURE(error.what());
  CHECK(contains(error.what(), "declared DATETIME"));
  app.state->db_instances.add_migrator("test", migrations({"CREATE TABLE a(x); CREATE TABLE b(at TEXT)"}));
  CHECK_NOTHROW(app.open());
}

}  // namespace
}  // namespace statehouse::test
