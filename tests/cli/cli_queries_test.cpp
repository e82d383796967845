#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

void prepare(const Workshop& shop, std::string_view queries) {
  shop.migration("1_person.sql", "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT);");
  write_file(shop / "q.sql", queries);
}

constexpr std::string_view two =
    "-- rows: person 5000\n"
    "-- name: get :optional\nSELECT name, note FROM person WHERE id = :id;\n"
    "-- name: noted :many\nSELECT name FROM person WHERE note = :note;\n";

}  // namespace

TEST_CASE("queries check: queries that fit are told with their types, and nothing is written") {
  const Workshop shop;
  prepare(shop, two);
  const ToolRun run = shop.run({"queries", "check", "q.sql"});
  CHECK(run.exit_code == 0);
  CHECK(run.out == "2 queries fit\n");
  CHECK(run.err.empty());
  CHECK(shop.files() == std::vector<std::string>{"migrations", "q.sql"});

  const auto document = shop.json({"queries", "check", "q.sql"}).document();
  const auto& get = document.at("queries").at(0);
  CHECK(text_of(get.at("name")) == "get");
  CHECK(text_of(get.at("kind")) == "optional");
  CHECK(get.at("line").to_number<int>() == 2);
  CHECK(text_of(get.at("parameters").at(0).at("type")) == "std::int64_t");
  CHECK(text_of(get.at("columns").at(1).at("name")) == "note");
  CHECK(get.at("columns").at(1).at("nullable").as_bool());
  CHECK(document.at("problems").as_array().empty());
}

TEST_CASE("queries check: what does not fit is told as compilers do, of all queries, and exits with 1") {
  const Workshop shop;
  prepare(shop, "-- name: a :many\nSELECT nam FROM person;\n-- name: b :one\nSELECT 1;\n-- name: c :one\nSELECT x;\n");
  const ToolRun run = shop.run({"queries", "check", "q.sql"});
  CHECK(run.exit_code == 1);
  CHECK(run.out.empty());
  CHECK(
      run.err ==
      "q.sql:2:8: error: no such column: nam\nq.sql:6:8: error: no such column: x\nstatehouse: 2 problems in q.sql\n");
  const ToolRun json = shop.json({"queries", "check", "q.sql"});
  CHECK(json.exit_code == 1);
  CHECK(json.kind() == "queries");
  CHECK(json.document().at("error").at("line").to_number<int>() == 2);
  CHECK(json.document().at("problems").at(1).at("column").to_number<int>() == 8);
  CHECK(json.document().at("queries").as_array().size() == 1);
}

TEST_CASE("queries check: a migration that fails is told with its place, a missing file is told by name") {
  const Workshop shop;
  prepare(shop, two);
  shop.migration("2_bad.sql", "SELECT 1;\nALTER TABLE nobody ADD a;");
  const ToolRun run = shop.run({"queries", "check", "q.sql"});
  CHECK(run.exit_code == 1);
  CHECK(contains(run.err, "migrations/2_bad.sql:"));
  CHECK(contains(run.err, "no such table: nobody"));
  CHECK(contains(shop.run({"queries", "check", "absent.sql"}).err, "absent.sql"));
  CHECK(shop.run({"queries", "check"}).exit_code == 2);
}

TEST_CASE("queries generate: the header is written as a whole or not at all") {
  const Workshop shop;
  prepare(shop, two);
  const ToolRun shown = shop.run({"queries", "generate", "--source", "migrations", "--name", "my-shop", "q.sql"});
  CHECK(shown.exit_code == 0);
  CHECK(contains(shown.out, "namespace statehouse::queries::my_shop {"));
  const ToolProcess::Words words{"queries", "generate", "--source",         "migrations", "--name",
                                 "my-shop", "--to",     "made/my_shop.hpp", "q.sql"};
  const ToolRun run = shop.run(words);
  CHECK(run.exit_code == 0);
  CHECK(run.out.empty());  // a build has nothing to show
  CHECK(read_file(shop / "made/my_shop.hpp") == shown.out);
  write_file(shop / "q.sql", "-- name: a :many\nSELECT nam FROM person;\n");
  CHECK(shop.run(words).exit_code == 1);
  CHECK(read_file(shop / "made/my_shop.hpp") == shown.out);
  CHECK(shop.files("made") == std::vector<std::string>{"my_shop.hpp"});
  CHECK(shop.run({"queries", "generate", "q.sql"}).exit_code == 2);
}

TEST_CASE("queries explain: shows the plans, and warns of those that go through a large table") {
  const Workshop shop;
  prepare(shop, two);
  const ToolRun run = shop.run({"queries", "explain", "q.sql"});
  CHECK(run.exit_code == 0);
  CHECK(contains(run.out, "get\n  SEARCH person USING INTEGER PRIMARY KEY"));
  CHECK(run.err == "q.sql:4:10: warning: 'noted' goes through all rows of 'person', about 5000\n");
  CHECK(shop.run({"queries", "explain", "--strict", "q.sql"}).exit_code == 1);
  CHECK(shop.run({"queries", "explain", "--above", "5000", "--strict", "q.sql"}).exit_code == 0);
  const auto document = shop.json({"queries", "explain", "q.sql"}).document();
  CHECK(contains(text_of(document.at("plans").at(1).at("steps").at(0)), "SCAN person"));
  CHECK(text_of(document.at("problems").at(0).at("severity")) == "warning");
}
