#include <catch2/catch_test_macros.hpp>

#include "checked.hpp"

using namespace statehouse::test;

TEST_CASE("query parameters: one that is compared with a column is of its type, without NULL") {
  CHECK(parameters_of("SELECT 1 AS a FROM person WHERE id = :id AND note > :note AND active = :active") ==
        "std::int64_t id, std::string_view note, bool active");
  CHECK(parameters_of("SELECT 1 AS a FROM person WHERE data = :data AND score BETWEEN :low AND :high") ==
        "std::span<const std::byte> data, double low, double high");
  CHECK(parameters_of("SELECT 1 AS a FROM pet WHERE owner = :owner AND name IN (:a, :b, :c)") ==
        "std::int64_t owner, std::string_view a, std::string_view b, std::string_view c");
  CHECK(parameters_of(
            "SELECT 1 AS a FROM person WHERE (name, id) > (:name, :id) ORDER BY name LIMIT :limit OFFSET :skip") ==
        "std::string_view name, std::int64_t id, std::int64_t limit, std::int64_t skip");
  CHECK(parameters_of("SELECT name FROM named n WHERE n.name = :name") == "std::string_view name");
  CHECK(parameters_of("SELECT born FROM person WHERE born > :since") ==
        "std::chrono::sys_time<std::chrono::microseconds> since");
}

TEST_CASE("query parameters: one that is stored is of its column's type, with its NULL") {
  CHECK(
      parameters_of("INSERT INTO person (name, note, born, data) VALUES (:name, :note, :born, :data)", ":execute") ==
      "std::string_view name, std::optional<std::string_view> note, "
      "std::optional<std::chrono::sys_time<std::chrono::microseconds>> born, std::optional<std::span<const std::byte>> "
      "data");
  CHECK(parameters_of("UPDATE person SET score = :score, name = :name WHERE id = :id", ":execute") ==
        "std::optional<double> score, std::string_view name, std::int64_t id");
  CHECK(parameters_of("INSERT INTO pet VALUES (:owner, :name, 1) ON CONFLICT DO UPDATE SET name = :other",
                      ":execute") == "std::int64_t owner, std::string_view name, std::string_view other");
  CHECK(parameters_of("INSERT INTO strict (a, c) SELECT owner, :c FROM pet", ":execute") ==
        "std::optional<std::string_view> c");
}

TEST_CASE("query parameters: the same name twice is one, in the order of first appearance") {
  CHECK(parameters_of("SELECT name FROM person WHERE note = :b OR (id = :a AND note > :b)") ==
        "std::string_view b, std::int64_t a");
}

TEST_CASE("query parameters: where the statement asks whether one is NULL, it may be") {
  CHECK(parameters_of("SELECT name FROM person WHERE (:note IS NULL OR note = :note)") ==
        "std::optional<std::string_view> note");
  CHECK(parameters_of("SELECT name FROM person WHERE note = coalesce(:note, 'x')") ==
        "std::optional<std::string_view> note");
  CHECK(parameters_of("SELECT name FROM person WHERE note IS :note") == "std::optional<std::string_view> note");
}

TEST_CASE("query parameters: what is not certain may be anything that can be bound") {
  CHECK(parameters_of("SELECT name FROM person WHERE length(name) > :length AND name REGEXP :pattern") ==
        "any length, any pattern");
  CHECK(parameters_of("SELECT name FROM person WHERE note = :x OR id = :x") == "any x");
  CHECK(parameters_of("SELECT name FROM person WHERE price > :price") == "any price");
  CHECK(parameters_of("SELECT name FROM person WHERE id IN (SELECT value FROM json_each(:ids))") == "any ids");
  CHECK(parameters_of("SELECT name FROM person WHERE name = :a || 'x'") == "any a");
}

TEST_CASE("query parameters: a number, another sign or no name is refused with its place") {
  CHECK(problems_of("-- name: q :many\nSELECT name FROM person WHERE id = ?") ==
        "q.sql:2:36: error: a parameter is called :NAME, with letters, digits and '_', not '?'\n");
  CHECK(problems_of("-- name: q :many\nSELECT name FROM person WHERE id = ?1 AND name = :a").find("not '?1'") !=
        std::string::npos);
  CHECK(problems_of("-- name: q :many\nSELECT name FROM person WHERE id = @a").find("not '@a'") != std::string::npos);
  CHECK(problems_of("-- name: q :many\nSELECT name FROM person WHERE id = $a").find("not '$a'") != std::string::npos);
}
