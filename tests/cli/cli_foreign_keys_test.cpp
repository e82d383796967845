#include <catch2/catch_test_macros.hpp>
#include <string>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// A parent with children, and a second migration.
struct Family : Workshop {
  explicit Family(std::string_view second) {
    migration("1_family.sql",
              "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(pid REFERENCES p(id) ON DELETE CASCADE);"
              "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);");
    migration("2_second.sql", second);
  }
};

constexpr std::string_view rebuild =
    "CREATE TABLE n(id INTEGER PRIMARY KEY, x); INSERT INTO n SELECT id, 0 FROM p; DROP TABLE p; ALTER TABLE n RENAME "
    "TO p;";

std::string remark(const json::value& migration) {
  const json::object& first = migration.at("remarks").as_array().at(0).as_object();
  return text_of(first.at("severity")) + ": " + text_of(first.at("message"));
}

}  // namespace

TEST_CASE("a pure rebuild is told of by verify and plan as a note, which is no problem even with --strict") {
  const Family shop(rebuild);
  const ToolRun verify = shop.json({"migrate", "verify", "--strict"});
  CHECK(verify.exit_code == 0);
  CHECK(text_of(verify.document().at("problems").at(0).at("severity")) == "note");
  CHECK(contains(shop.run({"migrate", "verify"}).out, "no problems"));
  const ToolRun plan = shop.migrate("plan");
  CHECK(plan.document().at("planned").at(1).at("foreign_keys_off") == true);
  CHECK(contains(remark(plan.document().at("planned").at(1)), "note: the migration file"));
  CHECK(contains(shop.run({"migrate", "plan", "--database", "x.db"}).out, "with foreign keys off"));
  const ToolRun run = shop.migrate("run");
  CHECK(run.exit_code == 0);
  CHECK(run.err.empty());
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM c") == 1);
}

TEST_CASE("rows that a script would take from other tables are warned of by verify, plan and run") {
  const Family shop(
      "ALTER TABLE p RENAME TO o; CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p SELECT id FROM o;"
      "DROP TABLE o;");
  CHECK(shop.json({"migrate", "verify", "--strict"}).exit_code == 1);
  CHECK(contains(shop.run({"migrate", "verify"}).out, "0 errors, 2 warnings"));
  CHECK(contains(remark(shop.migrate("plan").document().at("planned").at(1)), "rows of c (ON DELETE CASCADE"));
  const ToolRun run = shop.migrate("run");
  CHECK(run.exit_code == 0);
  CHECK(contains(remark(run.document().at("applied").at(1)), "rows of c (ON DELETE CASCADE"));
  CHECK(contains(run.err, "rows of c (ON DELETE CASCADE"));
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM c") == 0);
}

TEST_CASE("a rebuild beside other work that would take rows is one refusal, with both ways to write it") {
  const Family shop("DELETE FROM p WHERE id = 7;\n" + std::string(rebuild));
  const ToolRun run = shop.migrate("run");
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "migration_refused");
  CHECK(run.document().at("error").at("line") == 2);
  for (const auto part : {"1 row of c", "-- foreign-keys off", "-- foreign-keys on"})
    CHECK(contains(text_of(run.document().at("error").at("message")), part));
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM c") == 1);
}

TEST_CASE("references that led nowhere before are told by plan and run, and stop nothing") {
  const Family shop(rebuild);
  REQUIRE(shop.migrate("run", {"--target-version", "1"}).exit_code == 0);
  PlainDatabase(shop / "x.db").execute("INSERT INTO c VALUES (9)");
  CHECK(contains(shop.run({"migrate", "plan", "--database", "x.db"}).out, "c rowid 2 refers to no row of p"));
  const ToolRun run = shop.migrate("run");
  CHECK(run.exit_code == 0);
  CHECK(contains(run.err, "c rowid 2 refers to no row of p"));
}
