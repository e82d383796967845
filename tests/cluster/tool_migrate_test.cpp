#include <catch2/catch_test_macros.hpp>
#include <string>

#include "cluster_tool.hpp"
#include "error_of.hpp"

namespace statehouse::test {
namespace {

struct MigratedCluster : ClusterWorkshop {
  MigratedCluster() {
    migration("1_users.up.sql", "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT) STRICT");
    migration("1_users.down.sql", "DROP TABLE users");
    migration("2_posts.up.sql", "CREATE TABLE posts(id INTEGER PRIMARY KEY) STRICT");
    migration("2_posts.down.sql", "DROP TABLE posts");
  }
  ToolRun migrate_there(const std::string& command, ToolProcess::Words more = {}) const {
    more.insert(more.begin(), {"migrate", command, "--name", "a"});
    return on_cluster(std::move(more));
  }
};

std::size_t count(const ToolRun& run, const char* list) {
  return run.document().at(list).as_array().size();
}

TEST_CASE("statehouse migrate: a database of a cluster is planned, migrated, looked at and reverted as a file is") {
  const MigratedCluster shop;
  CHECK(count(shop.migrate_there("plan"), "planned") == 2);
  const ToolRun run = shop.migrate_there("run");
  CAPTURE(run.out);
  CHECK(run.exit_code == 0);
  CHECK(count(run, "applied") == 2);
  CHECK(text_of(run.document().at("database")) == "a.db");
  CHECK(count(shop.migrate_there("run"), "applied") == 0);
  CHECK(shop.migrate_there("info", {"--check"}).exit_code == 0);
  CHECK(count(shop.migrate_there("info"), "migrations") == 2);
  CHECK(count(shop.migrate_there("revert", {"--dry-run"}), "planned") == 1);
  CHECK(count(shop.migrate_there("revert"), "reverted") == 1);
  CHECK(shop.migrate_there("info", {"--check"}).exit_code == 3);
  shop.migration("1_users.up.sql", "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
  CHECK(shop.migrate_there("run").kind() == "migration_mismatch");
  CHECK(shop.migrate_there("repair", {"1", "--yes"}).exit_code == 0);
  CHECK(count(shop.migrate_there("run"), "applied") == 1);
  CHECK(shop.files() == std::vector<std::string>{"migrations"});  // nothing here of a database
}

TEST_CASE("statehouse migrate: a script that would harm a node fails with the line's reason, and keeps nothing") {
  const MigratedCluster shop;
  shop.migration("3_flags.up.sql", "CREATE TABLE first(a INTEGER) STRICT; CREATE TABLE flags(done BOOLEAN)");
  shop.migration("3_flags.down.sql", "DROP TABLE flags");
  const ToolRun run = shop.migrate_there("run");
  CHECK(run.exit_code == 1);
  CHECK(contains(message_of(run), "BOOLEAN"));
  CHECK(count(run, "applied") == 2);
  CHECK(count(shop.migrate_there("plan"), "planned") == 1);
}

TEST_CASE("statehouse migrate: --cluster wants a name and excludes files, and says so with 2") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE t(a)");
  const auto exit_code = [&](ToolProcess::Words more) {
    more.insert(more.begin(), {"migrate", "info", "--cluster", "127.0.0.1:9001"});
    return shop.json(more).exit_code;
  };
  CHECK(exit_code({}) == 2);
  CHECK(exit_code({"--database", "x.db"}) == 2);
  CHECK(exit_code({"--name", "a", "--data-dir", "data"}) == 2);
  CHECK(exit_code({"--name", "../a"}) == 2);
  CHECK(shop.json({"migrate", "info", "--name", "a"}).exit_code == 2);
}

}  // namespace
}  // namespace statehouse::test
