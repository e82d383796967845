#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

void fill(const Workshop& shop, const Files& files) {
  for (const auto& [name, content] : files) {
    const auto path = shop / "migrations" / name;
    std::filesystem::create_directories(path.parent_path());
    write_file(path, content);
  }
}

}  // namespace

TEST_CASE("import: a folder of another tool is recognised by its files, and its files and databases have a way here") {
  const std::string both = "CREATE TABLE a(x);\n";
  const std::vector<std::tuple<std::string, std::string, Files>> folders{
      {"goose", "goose_db_version", {{"00001_a.sql", "-- +goose Up\n" + both + "-- +goose Down\nDROP TABLE a;"}}},
      {"goose",
       "'-- no-transaction'",
       {{"00001_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose Down\nVACUUM;"}}},
      {"dbmate",
       "schema_migrations",
       {{"20250101000000_a.sql", "-- migrate:up\n" + both + "-- migrate:down\nDROP TABLE a;"}}},
      {"diesel",
       "__diesel_schema_migrations",
       {{"2025-01-01-000000_a/up.sql", both}, {"2025-01-01-000000_a/down.sql", ""}}},
      {"Flyway", "flyway_schema_history", {{"V1__a.sql", both}, {"V1.1__b.sql", both}}},
      {"Flyway", "1_NAME.down.sql", {{"V1__a.sql", both}, {"U1__a.sql", both}}},
      {"Flyway", "R__NAME.sql", {{"R__views.sql", both}}},
      {"Prisma", "_prisma_migrations", {{"20250101000000_a/migration.sql", both}}},
      {"Prisma", "migration_lock.toml", {{"20250101000000_a/migration.sql", both}, {"migration_lock.toml", ""}}},
      {"drizzle",
       "__drizzle_migrations",
       {{"20250101000000_a/migration.sql", both}, {"20250101000000_a/snapshot.json", ""}}},
  };
  for (const auto& [tool, part, files] : folders) {
    CAPTURE(tool, part);
    const Workshop shop;
    fill(shop, files);
    for (const char* command : {"run", "plan", "info"}) {
      const json::object document = shop.migrate(command).document();
      if (document.at("ok") == true && command == std::string("info")) continue;  // which does not look into a file
      const std::string hint = text_of(document.at("hint"));
      CHECK(contains(hint, "'migrations' is a folder of " + tool + ". "));
      CHECK(contains(hint, part));
      CHECK(contains(hint, "statehouse migrate baseline VERSION"));
    }
    CHECK(contains(shop.run({"up", "--database", "x.db"}).err, "is a folder of " + tool));
    CHECK(contains(shop.run({"migrate", "verify"}).err, "is a folder of " + tool));
    CHECK_FALSE(std::filesystem::exists(shop / "x.db"));
  }
}

TEST_CASE("import: drizzle's files run as they are, and where they have run already the way is told") {
  const Workshop shop;
  fill(shop,
       {{"0000_a.sql", "CREATE TABLE `a` (`x` integer);\n--> statement-breakpoint\nCREATE TABLE `b` (`x` integer);\n"},
        {"meta/_journal.json", "{}"}});
  CHECK(shop.migrate("run").exit_code == 0);
  PlainDatabase(shop / "y.db").execute("CREATE TABLE a(x); CREATE TABLE __drizzle_migrations(id)");
  const ToolRun again = shop.json({"up", "--database", "y.db"});
  CHECK(again.kind() == "migration_failed");
  CHECK(contains(text_of(again.document().at("hint")), "baseline"));
  CHECK(shop.json({"migrate", "baseline", "--database", "y.db", "--yes", "0"}).exit_code == 0);
  CHECK(shop.json({"up", "--database", "y.db"}).exit_code == 0);
}

TEST_CASE("import: of a folder of our own, and of other errors, nothing is said") {
  const Workshop shop;
  shop.migration("1_V1__a.sql", "CREATE TABLE a(x); -- as goose's -- +goose Up\nCOMMIT;");
  CHECK_FALSE(shop.migrate("run").document().contains("hint"));
  const Workshop goose;
  goose.migration("1_a.sql", "-- +goose Up\nCREATE TABLE a(x);");
  CHECK_FALSE(goose.json({"up"}).document().contains("hint"));  // which database?
}

TEST_CASE("import: a script that fails by itself in a folder that works is no matter of the tool that it is from") {
  const Workshop shop;
  fill(shop, {{"0000_a.sql", "CREATE TABLE a(x);\nCRATE TABLE b(x);\n"}, {"meta/_journal.json", "{}"}});
  const ToolRun run = shop.migrate("run");
  CHECK(run.kind() == "migration_failed");
  CHECK_FALSE(run.document().contains("hint"));
}
