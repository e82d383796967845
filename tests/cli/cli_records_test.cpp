#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

// Commands that a person has to mean: repair, baseline; and the check of a folder alone.

using namespace statehouse::test;

namespace {

struct Changed : Workshop {
  Changed() {
    migration("1_a.sql", "CREATE TABLE a(x)");
    migration("2_b.sql", "CREATE TABLE b(x)");
    run({"migrate", "run", "--database", "x.db"});
    migration("2_b.sql", "CREATE TABLE b(x) -- a comment\n");
  }
  std::string checksum() const {
    return PlainDatabase(path() / "x.db").text("SELECT hex(checksum) FROM _sqlx_migrations WHERE version = 2");
  }
};

}  // namespace

TEST_CASE("repair records the file of a named version, shows before and after, and runs nothing") {
  const Changed shop;
  const std::string before = shop.checksum();
  CHECK(shop.migrate("run").kind() == "migration_mismatch");
  const ToolRun dry = shop.migrate("repair", {"2", "--dry-run"});
  CHECK(dry.exit_code == 0);
  CHECK(shop.checksum() == before);
  const ToolRun run = shop.migrate("repair", {"2", "--yes"});
  CHECK(run.exit_code == 0);
  CHECK(run.document().at("changes") == dry.document().at("changes"));
  const json::object document = run.document();
  const json::value& change = document.at("changes").at(0);
  CHECK(change.at("version") == 2);
  CHECK(change.at("before").at("checksum") != change.at("after").at("checksum"));
  CHECK(shop.checksum() != before);
  CHECK(shop.migrate("run").exit_code == 0);
  const ToolRun again = shop.migrate("repair", {"1", "2"});  // nothing to ask for
  CHECK(again.exit_code == 0);
  CHECK(again.document().at("changes").as_array().empty());
}

TEST_CASE("repair needs versions that are applied and have a file") {
  const Changed shop;
  CHECK(shop.migrate("repair", {"--yes"}).exit_code == 2);
  CHECK(shop.migrate("repair", {"9", "--yes"}).exit_code == 1);
  CHECK(shop.migrate("repair", {"two", "--yes"}).exit_code == 2);
  shop.migration("3_c.sql", "SELECT 1");
  CHECK(shop.migrate("repair", {"3", "--yes"}).kind() == "migration_target");
}

TEST_CASE("baseline records versions as applied in a database that has its tables from elsewhere") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE a(x)");
  shop.migration("2_b.sql", "CREATE TABLE b(x)");
  shop.migration("3_c.sql", "CREATE TABLE c(x)");
  PlainDatabase(shop / "x.db").execute("CREATE TABLE a(x); CREATE TABLE b(x)");
  CHECK(shop.migrate("baseline", {"9", "--yes"}).kind() == "migration_target");
  CHECK(shop.migrate("baseline", {"2", "--dry-run"}).document().at("changes").as_array().size() == 2);
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'") == 0);
  CHECK(shop.migrate("baseline", {"2", "--yes"}).exit_code == 0);
  CHECK(shop.migrate("run").document().at("applied").as_array().size() == 1);
  CHECK(shop.migrate("info", {"--check"}).exit_code == 0);
  CHECK(shop.migrate("baseline", {"3", "--yes"}).kind() == "migration_recorded");
}

TEST_CASE("without a terminal and without --yes nothing is changed, and it is a usage error") {
  const Changed shop;
  const std::string before = shop.checksum();
  for (const ToolProcess::Words& words :
       std::vector<ToolProcess::Words>{{"migrate", "repair", "2", "--database", "x.db"},
                                       {"db", "drop", "--database", "x.db"},
                                       {"db", "reset", "--database", "x.db"}}) {
    CAPTURE(words);
    const ToolRun run = shop.json(words);
    if (words[1] != "reset") CHECK(run.kind() == "usage");
    CHECK(run.exit_code == 2);
  }
  CHECK(shop.checksum() == before);
}

TEST_CASE("on a terminal it asks, and only yes does it") {
  const Changed shop;
  const std::string before = shop.checksum();
  const ToolProcess::Words repair{"migrate", "repair", "2", "--database", "x.db"};
  for (const char* answer : {"n\n", "\n", "yep\n", "\x04"}) {
    TerminalRun terminal(shop.path(), repair);
    REQUIRE(terminal.shows("[y/N]"));
    terminal.type(answer);
    const ToolRun run = terminal.finish();
    CHECK(run.exit_code == 1);
    CHECK(contains(run.out, "nothing was done"));
    CHECK(shop.checksum() == before);
  }
  TerminalRun terminal(shop.path(), repair);
  REQUIRE(terminal.shows("[y/N]"));
  terminal.type("y\n");
  CHECK(terminal.finish().exit_code == 0);
  CHECK(shop.checksum() != before);
}

TEST_CASE("verify finds what is wrong with a folder, with file and line, without a database") {
  const Workshop shop;
  shop.migration("1_a.up.sql", "CREATE TABLE a(x);\n");
  CHECK(shop.json({"migrate", "verify"}).exit_code == 0);
  const ToolRun warned = shop.json({"migrate", "verify"});
  CHECK(warned.document().at("problems").as_array().size() == 1);  // no down file
  CHECK(shop.json({"migrate", "verify", "--strict"}).exit_code == 1);
  shop.migration("1_a.down.sql", "DROP TABLE a;\n");
  CHECK(shop.json({"migrate", "verify", "--strict"}).exit_code == 0);

  shop.migration("2_b.sql", "SELECT 1;\nCOMMIT;\n");
  shop.migration("x_c.sql", "SELECT 1;\n");
  const ToolRun run = shop.json({"migrate", "verify"});
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "migration_source");
  const json::object document = run.document();
  CHECK(document.at("error").at("line") == 2);  // of the first
  const json::array& problems = document.at("problems").as_array();
  REQUIRE(problems.size() == 2);
  CHECK(text_of(problems[0].at("file")) == "migrations/2_b.sql");
  CHECK(problems[0].at("line") == 2);
  CHECK(problems[0].at("version") == 2);
  CHECK(problems[0].at("severity") == "error");
  CHECK(shop.json({"migrate", "verify", "--source", "nowhere"}).exit_code == 1);
  CHECK(shop.files() == std::vector<std::string>{"migrations"});
  CHECK(contains(shop.run({"migrate", "verify"}).out, "error"));
}
