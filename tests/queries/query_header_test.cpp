#include <catch2/catch_test_macros.hpp>

#include "checked.hpp"
#include "queries/names.hpp"

using namespace statehouse::test;

namespace {

bool has(const Checked& file, const std::string& text) {
  UNSCOPED_INFO(file.header());
  return file.header().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("query header: one column gives its type, several a row, and the kind says how many") {
  const Checked file(people, R"(-- name: count_them :one
SELECT count(*) FROM person;
-- name: find_one :optional
-- By number.
SELECT name, note FROM person WHERE id = :id;
-- name: rename :execute
UPDATE person SET name = :name WHERE id = :id;
-- name: adopt :returning
INSERT INTO pet (owner, name) VALUES (:owner, :name) RETURNING name;
)");
  CHECK(has(file, "return db.template query_one<std::int64_t>("));
  CHECK(has(file, "struct FindOneRow {\n  std::string name;\n  std::optional<std::string> note;\n};\n"));
  CHECK(has(file, "/// By number.\n/// q.sql, line 3\n"));
  CHECK(has(file, "return db.template query_optional<FindOneRow>("));
  CHECK(has(file, "auto rename(const Db& db, std::string_view name, std::int64_t id,"));
  CHECK(has(file, "return db.execute("));
  CHECK(has(file, "return db.template execute_returning<std::string>("));
  CHECK(has(file, "namespace statehouse::queries::x {\n"));
}

TEST_CASE("query header: no word of C++, no name of its own and no text of a statement gets in its way") {
  const Checked file(people, R"sql(-- name: words :many
-- ends in a backslash \
SELECT name AS "class", note AS "default", id AS db, '"\\??/)" R"x(' AS "new!", 1 AS options FROM person
WHERE id = :db AND name = :where AND note = :class AND score = :options AND active = :WordsRow AND data = :Db;
)sql");
  REQUIRE(file.problems().empty());
  CHECK(
      has(file,
          "  std::string class_;\n  std::optional<std::string> default_;\n  std::int64_t db;\n  std::string new_;\n"));
  CHECK(has(file,
            "std::int64_t db_, std::string_view where_, std::string_view class_, double options_, bool WordsRow_, "
            "std::span<const std::byte> Db_,"));
  CHECK(has(file, "ends in a backslash \\ .\n"));
  CHECK(has(file, R"sql('\"\\\\??/)\" R\"x(')sql"));
}

TEST_CASE("query header: the namespace of a database is called as its migrations' function") {
  using statehouse::queries::namespace_name;
  CHECK(namespace_name("context") == "context");
  CHECK(namespace_name("user-data.v2") == "user_data_v2");
  CHECK(namespace_name("2nd") == "_2nd");
  CHECK(namespace_name("default") == "default_");
  CHECK(namespace_name("context.db") == "context");
}
