// What `stats()` says of the schema: what is applied to the database, not what the program has.

#include "state_support.hpp"

namespace statehouse::test {
namespace {

/// What a program with these migrations sees that opens the database.
std::optional<std::int64_t> seen_by(const std::filesystem::path& directory, const Migrator& migrator) {
  SteppedApp app;
  AppStateOptions options{.data_dir = directory,
                          .database_executor = app.db.get_executor(),
                          .logger = app.log.logger(),
                          .clock = app.clock};
  AppState state{app.io.get_executor(), options};
  app.run(state.init());
  state.db_instances.add_migrator("x", migrator);
  const auto version = app.run(state.db_instances.get_pool("x")).stats().schema_version;
  app.run(state.shutdown());
  return version;
}

TEST_CASE("schema_version: the highest that is applied, also where a newer program has been here") {
  const testing::TempDir dir;
  CHECK(seen_by(dir.path(), migrations({"CREATE TABLE a(x)", "CREATE TABLE b(x)", "CREATE TABLE c(x)"})) == 3);
  CHECK(seen_by(dir.path(), migrations({"CREATE TABLE a(x)", "CREATE TABLE b(x)"}, {.ignore_missing = true})) == 3);
}

TEST_CASE("schema_version: a version that can only be reverted is not one that is applied") {
  const testing::TempDir dir;
  const EmbeddedFile files[]{{"1_a.up.sql", "CREATE TABLE a(x)"}, {"9_z.down.sql", "DROP TABLE z"}};
  CHECK(seen_by(dir.path(), Migrator::from_files(files)) == 1);
}

TEST_CASE("schema_version: none without migrations, and none before one is applied") {
  const testing::TempDir dir;
  CHECK(seen_by(dir.path(), migrations({})) == std::nullopt);
}

}  // namespace
}  // namespace statehouse::test
