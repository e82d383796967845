#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

// Folders and files that were not made for this tool.

using namespace statehouse::test;

namespace {

const std::string goose =
    "-- +goose Up\nCREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT);\n"
    "-- +goose Down\nDROP TABLE IF EXISTS note;\n";

std::string message(const ToolRun& run) {
  const json::object document = run.document();
  return text_of(document.at("error").at("message"));
}

std::string planned_warning(const ToolRun& run, std::string_view list) {
  const json::object document = run.document();
  return text_of(document.at(list).as_array().at(0).at("remarks").as_array().at(0).at("message"));
}

}  // namespace

TEST_CASE("a folder that yields nothing fails every command that reads it, and nothing is created") {
  const Workshop shop;
  write_file(shop / "migrations/2025/1_init.sql", "CREATE TABLE note (id INTEGER PRIMARY KEY);");
  const ToolProcess::Words at{"--data-dir", "data", "--name", "notes"};
  for (const ToolProcess::Words& words : std::vector<ToolProcess::Words>{{"migrate", "run"},
                                                                         {"migrate", "plan"},
                                                                         {"migrate", "run", "--dry-run"},
                                                                         {"migrate", "revert"},
                                                                         {"migrate", "info", "--check"},
                                                                         {"db", "setup"},
                                                                         {"db", "reset", "--yes"},
                                                                         {"migrate", "verify"}}) {
    CAPTURE(words);
    auto all = words;
    if (words.back() != "verify") all.insert(all.end(), at.begin(), at.end());
    const ToolRun run = shop.json(all);
    CHECK(run.exit_code == 1);
    CHECK(contains(text_of(run.document().at("error").at("kind")), "migration_"));
  }
  const ToolRun run = shop.migrate("run");
  CHECK(run.kind() == "migration_none");
  CHECK(contains(message(run), "2025/1_init.sql"));
  CHECK(contains(message(run), "give 'migrations/2025'"));
  CHECK(contains(shop.run({"migrate", "verify"}).out, "holds no migrations"));
  CHECK(shop.files() == std::vector<std::string>{"migrations"});
}

TEST_CASE("a folder that yields nothing costs no database that is there") {
  const Workshop shop;
  std::filesystem::create_directory(shop / "migrations");
  PlainDatabase(shop / "x.db").execute("CREATE TABLE note(x); INSERT INTO note VALUES (1)");
  CHECK(shop.db("reset", {"--yes"}).kind() == "migration_none");
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM note") == 1);
}

TEST_CASE("add makes the first migration, also beside what is none") {
  const Workshop shop;
  std::filesystem::create_directory(shop / "migrations");
  CHECK(shop.run({"migrate", "add", "-s", "init"}).exit_code == 0);
  std::filesystem::remove(shop / "migrations/0001_init.sql");
  write_file(shop / "migrations/README.md", "what this is");
  write_file(shop / "migrations/schema.sql", "");
  CHECK(shop.run({"migrate", "add", "-s", "init"}).exit_code == 0);
  CHECK(shop.files("migrations") == std::vector<std::string>{"0001_init.sql", "README.md", "schema.sql"});
}

TEST_CASE("another tool's file with both directions fails verify, plan and run, and loses nothing") {
  const Workshop shop;
  shop.migration("20250101000000_init.sql", goose);
  for (const char* const command : {"plan", "run"}) {
    const ToolRun run = shop.migrate(command);
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "migration_refused");
    CHECK(contains(message(run), "goose"));
    CHECK(contains(message(run), "20250101000000_init.up.sql"));
  }
  const ToolRun verify = shop.run({"migrate", "verify"});
  CHECK(verify.exit_code == 1);
  CHECK(contains(verify.out, "goose"));
  CHECK(shop.files() == std::vector<std::string>{"migrations"});

  PlainDatabase(shop / "x.db")
      .execute("CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1, 'a')");
  CHECK(shop.migrate("run").kind() == "migration_refused");
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM note") == 1);
}

TEST_CASE("a file that was never filled in is warned of, and filling it in later does not suggest to record it") {
  const Workshop shop;
  REQUIRE(shop.run({"migrate", "add", "-r", "-s", "add_users"}).exit_code == 0);
  const ToolRun verify = shop.run({"migrate", "verify"});
  CHECK(verify.exit_code == 0);
  CHECK(contains(verify.out, "0001_add_users.up.sql) has no statement"));
  CHECK(contains(verify.out, "0001_add_users.down.sql) has no statement"));
  CHECK(contains(planned_warning(shop.migrate("plan"), "planned"), "has no statement"));
  CHECK(contains(shop.run({"migrate", "plan", "--database", "x.db"}).out, "warning: migration 1"));
  const ToolRun run = shop.migrate("run");
  CHECK(run.exit_code == 0);
  CHECK(contains(planned_warning(run, "applied"), "has no statement"));
  CHECK(contains(run.err, "statehouse: warning: migration 1"));

  shop.migration("0001_add_users.up.sql", "CREATE TABLE users(id INTEGER PRIMARY KEY);\n");
  for (const char* const command : {"plan", "run"}) {
    const ToolRun filled = shop.migrate(command);
    CHECK(filled.kind() == "migration_mismatch");
    CHECK_FALSE(contains(message(filled), "repair"));
    CHECK(contains(message(filled), "have never run on this database"));
  }
  CHECK(
      contains(planned_warning(shop.migrate("info").exit_code == 0 ? shop.migrate("revert", {"--dry-run"}) : ToolRun{},
                               "planned"),
               "0001_add_users.down.sql) has no statement"));
}
