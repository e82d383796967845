#include <catch2/catch_test_macros.hpp>

#include "checked.hpp"

using namespace statehouse::test;

TEST_CASE("query file: names and comments count as such only where SQL has a comment") {
  const Checked file(people, R"(-- name: first :one
SELECT '
-- name: not_one :many
' AS a, 1 /*
-- name: nor_this :many
*/ AS b;
-- name: second :one
SELECT 'it''s -- no comment' AS "text"; -- name: behind_a_statement :one
)");
  CHECK(file.problems().empty());
  CHECK(file.queries().size() == 2);
  CHECK(file["first"].query->in_one_line() == "SELECT '\n-- name: not_one :many\n' AS a, 1 AS b");
  CHECK(file["second"].query->in_one_line() == "SELECT 'it''s -- no comment' AS \"text\"");
}

TEST_CASE("query file: CRLF, a BOM and letters beyond ASCII change no statement and no place") {
  const Checked file(people,
                     "\xEF\xBB\xBF-- name: q :many\r\n-- Gr\xC3\xBC\xC3\x9F"
                     "e\r\nSELECT 'Gr\xC3\xBC\xC3\x9F"
                     "e' AS a,\r\n       missing FROM person;\r\n");
  CHECK(file.problems() == "q.sql:4:8: error: no such column: missing\n");
  const Checked right(people,
                      "\xEF\xBB\xBF-- name: q :one\r\nSELECT 'Gr\xC3\xBC\xC3\x9F"
                      "e'\r\n AS a;\r\n");
  CHECK(right["q"].query->in_one_line() ==
        "SELECT 'Gr\xC3\xBC\xC3\x9F"
        "e' AS a");
  CHECK(right.header().find("'Gr\\303\\274\\303\\237e'") != std::string::npos);
}

TEST_CASE("query file: what is no query is told with its place") {
  CHECK(problems_of("") ==
        "q.sql:1:1: error: there is no query: each begins with a line like -- name: get_block :optional\n");
  CHECK(problems_of("-- a\nSELECT 1;\nSELECT 2;\n-- name: q :one\nSELECT 1") ==
        "q.sql:2:1: error: a statement without a name: before it comes a line like -- name: get_block :optional\n");
  CHECK(problems_of("-- name: q :one\n-- nothing\n;\n") == "q.sql:1:10: error: no statement follows the name 'q'\n");
  CHECK(
      problems_of("-- name: q :all\nSELECT 1").starts_with("q.sql:1:1: error: a query is called -- name: NAME :KIND"));
  CHECK(problems_of("-- name: q :one\nSELECT 1; SELECT 2") ==
        "q.sql:2:11: error: a second statement: each has a name of its own before it\n");
  CHECK(problems_of("-- name: q :one\nSELECT 'a") == "q.sql:2:8: error: unrecognized token: \"'a\"\n");
  CHECK(problems_of(std::string("-- name: q :one\nSELECT 1\0", 25))
            .starts_with("q.sql:2:9: error: there is a NUL character"));
}

TEST_CASE("query file: a name must be one of C++, and only one query has it") {
  const std::string other = "-- name: get_it :one\nSELECT 1;\n";
  CHECK(problems_of("-- name: delete :one\nSELECT 1") ==
        "q.sql:1:10: error: 'delete' cannot be the name of a function in C++\n");
  CHECK(problems_of("-- name: 2nd :one\nSELECT 1").starts_with("q.sql:1:10: error: '2nd' cannot be"));
  CHECK(problems_of("-- name: f\xC3\xBCr :one\nSELECT 1").find("cannot be the name of a function") !=
        std::string::npos);
  CHECK(problems_of(other + other) == "q.sql:3:10: error: there is another query 'get_it'\n");
  CHECK(problems_of(other + "-- name: get__it :one\nSELECT 1") ==
        "q.sql:3:10: error: the rows of another query are called 'GetItRow', too\n");
}

TEST_CASE("query file: settings stand before the first name, and one that is not understood is told") {
  const Checked file(people, R"(-- Of people. Note: this line says nothing.
-- function: mine/2
-- function: any
-- rows: person 500000
-- type: person.state = app::state
-- type: NUMERIC = std::string
-- include: "app/state.hpp"
-- name: q :many
SELECT state, price, mine(1, 2) AS "a: int", any() AS "b!: int" FROM person;
)");
  CHECK(file.problems().empty());
  CHECK(file.columns("q") == "app::state state, std::optional<std::string> price, std::optional<int> a, int b");
  CHECK(file.header().find("#include \"app/state.hpp\"\n") != std::string::npos);
  const std::string query = "\n-- name: q :one\nSELECT 1";
  CHECK(
      problems_of("-- function: a b" + query).starts_with("q.sql:1:1: error: a function that your program registers"));
  CHECK(problems_of("-- function: a/200" + query)
            .starts_with("q.sql:1:1: error: a function that your program registers"));
  CHECK(problems_of("-- rows: person many" + query).starts_with("q.sql:1:1: error: the size of a table"));
  CHECK(problems_of("-- rows: nobody 5" + query) == "q.sql:1:1: error: -- rows: there is no table 'nobody'\n");
  CHECK(problems_of("-- type: person.state" + query).starts_with("q.sql:1:1: error: a type is mapped by"));
  CHECK(problems_of("-- include: app.hpp" + query).starts_with("q.sql:1:1: error: a header is named as"));
}
