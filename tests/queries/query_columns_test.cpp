#include <catch2/catch_test_macros.hpp>

#include "checked.hpp"

using namespace statehouse::test;

TEST_CASE("query columns: a column is what its table declares, and NULL only where that lets it") {
  CHECK(columns_of("SELECT id, name, note, active, score, data FROM person") ==
        "std::int64_t id, std::string name, std::optional<std::string> note, bool active, std::optional<double> score, "
        "std::optional<std::vector<std::byte>> data");
  CHECK(columns_of("SELECT born FROM person") ==
        "std::optional<std::chrono::sys_time<std::chrono::microseconds>> born");
  CHECK(columns_of("SELECT a, c, v, w FROM strict") ==
        "std::int64_t a, std::optional<std::string> c, std::int64_t v, std::optional<std::string> w");
  CHECK(columns_of("SELECT owner, name FROM pet WHERE owner = 1") == "std::int64_t owner, std::string name");
}

TEST_CASE("query columns: through views, subqueries, CTEs and sorters a column stays what it is") {
  CHECK(columns_of("SELECT name, note FROM named ORDER BY note") ==
        "std::string name, std::optional<std::string> note");
  CHECK(columns_of("SELECT n FROM (SELECT DISTINCT name AS n FROM person ORDER BY score)") == "std::string n");
  CHECK(columns_of("WITH x AS MATERIALIZED (SELECT name FROM person) SELECT a.name FROM x a JOIN x b USING (name)") ==
        "std::string name");
  CHECK(columns_of("SELECT name FROM person WHERE score = 1") == "std::string name");  // of the index
}

TEST_CASE("query columns: an outer join, an aggregate and a subquery may give NULL where the column may not") {
  CHECK(columns_of("SELECT p.name, t.name AS pet FROM person p LEFT JOIN pet t ON t.owner = p.id") ==
        "std::string name, std::optional<std::string> pet");
  CHECK(columns_of("SELECT p.name, t.name AS pet FROM person p JOIN pet t ON t.owner = p.id") ==
        "std::string name, std::string pet");
  CHECK(columns_of("SELECT p.name, t.name AS pet FROM pet t RIGHT JOIN person p ON t.owner = p.id") ==
        "std::string name, std::optional<std::string> pet");
  CHECK(columns_of("SELECT p.name, t.name AS pet FROM person p FULL JOIN pet t ON t.owner = p.id") ==
        "std::optional<std::string> name, std::optional<std::string> pet");
  CHECK(columns_of("SELECT name, count(*) AS n FROM person") == "std::optional<std::string> name, std::int64_t n");
  CHECK(columns_of("SELECT name, count(*) AS n FROM person GROUP BY name") == "std::string name, std::int64_t n");
  CHECK(columns_of("SELECT state, max(name) AS last FROM person GROUP BY state") ==
        "std::int64_t state, std::optional<std::string> last");
  CHECK(columns_of("SELECT (SELECT name FROM pet WHERE owner = person.id) AS pet, name FROM person") ==
        "std::optional<std::string> pet, std::string name");
}

TEST_CASE("query columns: an expression has the type and the NULLs that SQLite's program of it can give") {
  CHECK(columns_of("SELECT count(*) FROM person") == "std::int64_t ");
  CHECK(columns_of("SELECT total(score) AS t, avg(score) AS a, sum(length(name)) AS s, min(name) AS m FROM person") ==
        "double t, std::optional<double> a, std::optional<std::int64_t> s, std::optional<std::string> m");
  CHECK(columns_of("SELECT coalesce(note, name) AS c, coalesce(note, data) AS \"d: int\" FROM person") ==
        "std::string c, std::optional<int> d");
  CHECK(columns_of("SELECT ifnull(note, '') AS a, iif(id > 5, name, note) AS b, nullif(name, '') AS c FROM person") ==
        "std::string a, std::optional<std::string> b, std::optional<std::string> c");
  CHECK(columns_of(
            "SELECT CASE WHEN id > 1 THEN 'a' ELSE 'b' END AS a, CASE WHEN id > 1 THEN 'a' END AS b FROM person") ==
        "std::string a, std::optional<std::string> b");
  CHECK(columns_of("SELECT id + 1 AS a, id / 2 AS b, id / id AS c, name || 'x' AS d, name = 'x' AS e, note = 'x' AS f "
                   "FROM person") ==
        "std::int64_t a, std::int64_t b, std::optional<std::int64_t> c, std::string d, std::int64_t e, "
        "std::optional<std::int64_t> f");
  CHECK(columns_of("SELECT EXISTS (SELECT 1 FROM pet) AS a, upper(name) AS b, length(note) AS c, CAST(note AS INTEGER) "
                   "AS d, datetime('now') AS e FROM person") ==
        "std::int64_t a, std::string b, std::optional<std::int64_t> c, std::optional<std::int64_t> d, "
        "std::optional<std::string> e");
  CHECK(columns_of("SELECT row_number() OVER (ORDER BY name) AS n, name FROM person") ==
        "std::int64_t n, std::string name");
  CHECK(columns_of("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT n FROM r") ==
        "std::int64_t n");
}

TEST_CASE("query columns: what a recursive query adds while it is read counts, too") {
  CHECK(columns_of(
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT nullif(n, 3) + 1 FROM r LIMIT 9) SELECT n FROM r") ==
        "std::optional<std::int64_t> n");
}

TEST_CASE("query columns: a UNION is of the types of all its arms") {
  CHECK(columns_of("SELECT name FROM person UNION SELECT name FROM pet") == "std::string name");
  CHECK(columns_of("SELECT name FROM person UNION ALL SELECT note FROM person") == "std::optional<std::string> name");
  CHECK(columns_of("SELECT name FROM person INTERSECT SELECT note FROM person ORDER BY 1") == "std::string name");
  CHECK(problems_of("-- name: q :many\nSELECT name FROM person UNION SELECT id FROM person") ==
        "q.sql:2:8: error: the type of column 'name' is not certain: it may be INTEGER or TEXT. Say it: AS \"name: C++ "
        "TYPE\"\n");
}

TEST_CASE("query columns: RETURNING gives what was stored") {
  CHECK(columns_of(
            "INSERT INTO person (name, note) VALUES (:name, :note) RETURNING id, name, note, coalesce(note, '') AS "
            "text, (SELECT count(*) FROM pet) AS pets",
            ":returning") ==
        "std::int64_t id, std::string name, std::optional<std::string> note, std::string text, std::int64_t pets");
  CHECK(columns_of("UPDATE person SET active = NOT active RETURNING active, id", ":returning") ==
        "bool active, std::int64_t id");
  CHECK(columns_of("DELETE FROM pet RETURNING owner, name", ":returning") == "std::int64_t owner, std::string name");
}

TEST_CASE("query columns: what is said in a column's name goes before all that is known") {
  CHECK(columns_of("SELECT note AS \"note!\", name AS \"name?\", born AS \"at: std::chrono::sys_seconds\", price AS "
                   "\"price!:double\" FROM person") ==
        "std::string note, std::optional<std::string> name, std::optional<std::chrono::sys_seconds> at, double price");
  CHECK(columns_of("SELECT '' REGEXP 'a' AS \"fits!: bool\"") == "bool fits");
  CHECK(columns_of("SELECT body AS \"body!: std::string\" FROM texts WHERE texts MATCH :match") == "std::string body");
  CHECK(columns_of("SELECT value AS \"value!: std::int64_t\" FROM json_each(:list)") == "std::int64_t value");
}

TEST_CASE("query columns: what is not certain must be said, and what has no name needs one") {
  CHECK(
      problems_of("-- name: q :many\nSELECT name,\n       price FROM person") ==
      "q.sql:3:8: error: the type of column 'price' is not certain: person.price is not declared with a type that has "
      "one in C++. Say it: AS \"price: C++ TYPE\"\n");
  CHECK(
      problems_of("-- name: q :one\nSELECT :x") ==
      "q.sql:2:8: error: the type of column ':x' is not certain: it may be anything. Say it: AS \"NAME: C++ TYPE\"\n");
  CHECK(problems_of("-- name: q :one\nSELECT NULL AS a").find("it may be only NULL") != std::string::npos);
  CHECK(problems_of("-- name: q :one\nSELECT count(*), 1 AS a FROM person") ==
        "q.sql:2:1: error: column 1 is called 'count(*)', which cannot be the name of a field in C++: give it one with "
        "AS\n");
  CHECK(problems_of("-- name: q :many\nSELECT p.name, t.name FROM person p JOIN pet t")
            .find("two columns are called 'name': give one another name with AS") != std::string::npos);
  CHECK(problems_of("-- name: q :many\nSELECT 1 AS \"gr\xC3\xBC\xC3\x9F"
                    "e\", 2 AS b")
            .find("cannot be the name of a field") != std::string::npos);
}
