#include <catch2/catch_test_macros.hpp>

#include "checked.hpp"
#include "queries/plan.hpp"

using namespace statehouse::test;

namespace {

std::string scans(const std::string& sql, std::int64_t most) {
  Checked checked(people, "-- rows: person 5000\n-- rows: pet 10\n-- name: q :many\n" + sql);
  const auto& query = *checked["q"].query;
  const auto plan = statehouse::queries::plan_of(checked.connection(), query);
  CHECK_FALSE(plan.steps.empty());
  std::string text;
  for (const auto& one : scans_of_large_tables(plan, query, checked.file(), most)) text += one.text() + '\n';
  return text;
}

}  // namespace

TEST_CASE("query plans: one that goes through a large table, or an index of it, is warned of, under any name of it") {
  const std::string warning = "q.sql:3:10: warning: 'q' goes through all rows of 'person', about 5000\n";
  CHECK(scans("SELECT name FROM person WHERE note = :note", 1000) == warning);
  CHECK(scans("SELECT p.name FROM person AS p", 1000) == warning);
  CHECK(scans("SELECT count(*) FROM person", 1000) == warning);
  CHECK(scans("SELECT t.name FROM pet t LEFT JOIN named p ON p.note = t.name", 1000) == warning);
}

TEST_CASE("query plans: a look-up, a small table and a size that was not told are not warned of") {
  CHECK(scans("SELECT name FROM person WHERE id = :id", 1000).empty());
  CHECK(scans("SELECT name FROM person WHERE name = :name", 1000).empty());
  CHECK(scans("SELECT max(name) FROM person", 1000).empty());
  CHECK(scans("SELECT name FROM pet", 1000).empty());
  CHECK(scans("SELECT name FROM person", 5000).empty());
  CHECK(scans("SELECT a FROM strict", 0).empty());
}
