#include <catch2/catch_test_macros.hpp>

#include "checked.hpp"

using namespace statehouse::test;

TEST_CASE("query kinds: a kind that does not fit the statement is told with the one that does") {
  CHECK(problems_of("-- name: q :many\nDELETE FROM pet") ==
        "q.sql:2:1: error: :many is for what only reads; this writes: :execute\n");
  CHECK(problems_of("-- name: q :one\nDELETE FROM pet RETURNING name") ==
        "q.sql:2:1: error: :one is for what only reads; this writes: :returning\n");
  CHECK(problems_of("-- name: q :execute\nSELECT 1") ==
        "q.sql:2:1: error: the rows of this are lost with :execute; it is :one, :optional or :many\n");
  CHECK(problems_of("-- name: q :execute\nDELETE FROM pet RETURNING name") ==
        "q.sql:2:1: error: the rows of this are lost with :execute; it is :returning\n");
  CHECK(problems_of("-- name: q :returning\nDELETE FROM pet") ==
        "q.sql:2:1: error: :returning is for a statement that writes and has RETURNING; this is :execute\n");
  CHECK(problems_of("-- name: q :returning\nSELECT 1 AS a").find("this is :one, :optional or :many") !=
        std::string::npos);
}

TEST_CASE("query kinds: what a pool refuses is refused when it is built") {
  for (const char* sql : {"BEGIN", "COMMIT", "SAVEPOINT a", "ATTACH 'a' AS b", "PRAGMA journal_mode = DELETE"}) {
    CAPTURE(sql);
    CHECK(problems_of(std::string("-- name: q :execute\n") + sql).starts_with("q.sql:2:1: error: not authorized: "));
  }
}

TEST_CASE("query kinds: EXPLAIN and VACUUM are no queries") {
  CHECK(problems_of("-- name: q :many\nEXPLAIN SELECT 1").starts_with("q.sql:2:1: error: EXPLAIN is no query"));
  CHECK(problems_of("-- name: q :execute\nVACUUM").starts_with("q.sql:2:1: error: VACUUM is no query"));
}

TEST_CASE("query kinds: a wrong name in double quotes is no text, as SQLite would have it") {
  const std::string problem = problems_of("-- name: q :many\nSELECT \"nmae\" FROM person");
  CHECK(problem.starts_with("q.sql:2:8: error: no such column: "));
  CHECK(problem.find("nmae") != std::string::npos);
  CHECK(columns_of("SELECT \"name\" FROM person") == "std::string name");
}

TEST_CASE("query kinds: SQLite's words and its place, of every query and not of the first only") {
  CHECK(
      problems_of("-- name: a :many\nSELECT nam FROM person;\n-- name: b :one\nSELECT 1;\n-- name: c :many\n  SELECT 1 "
                  "FROM persons;\n-- name: d :many\nSELECT FROM person") ==
      "q.sql:2:8: error: no such column: nam\n"
      "q.sql:6:17: error: no such table: persons\n"
      "q.sql:8:8: error: near \"FROM\": syntax error\n");
}
