#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>

#include "statehouse/observer.hpp"

namespace statehouse::test {
namespace {

TEST_CASE("query_summary: the kind of a statement and the tables that it names, in their order") {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT 1", "SELECT"},
      {"select * from orders", "SELECT orders"},
      {"SELECT o.x, f(1, 2) FROM orders AS o, main.items i WHERE o.a IN (1, 2)", "SELECT orders main.items"},
      {"SELECT * FROM a JOIN b USING (x, y) LEFT JOIN c ON c.x = a.x, d ORDER BY 1, 2", "SELECT a b c d"},
      {"SELECT (SELECT max(x) FROM a), y FROM b", "SELECT SELECT a b"},
      {"SELECT * FROM (SELECT x, y FROM a) AS s", "SELECT SELECT a"},
      {"SELECT * FROM json_each('[1]') AS j", "SELECT json_each"},
      {"SELECT a IS DISTINCT FROM b FROM t", "SELECT t"},
      {"SELECT DISTINCT x FROM t", "SELECT t"},
      {"WITH n AS (SELECT x FROM a) INSERT INTO b SELECT x FROM n", "SELECT a INSERT b SELECT n"},
      {"INSERT OR IGNORE INTO t(a, b) VALUES ('x', 'y'), (?, ?)", "INSERT t"},
      {"INSERT OR REPLACE INTO t VALUES (1)", "INSERT t"},
      {"INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1, b = \"c\" RETURNING a, b", "INSERT t"},
      {"REPLACE INTO t VALUES (replace('a', 'b', 'c'))", "REPLACE t"},
      {"UPDATE OR FAIL t SET a = 1, b = 2 FROM u WHERE u.x = t.x", "UPDATE t u"},
      {"DELETE FROM \"my table\" WHERE x = 'FROM secret'", "DELETE my table"},
      {"/* FROM a */ SELECT x -- FROM b\n FROM [c]", "SELECT c"},
      {"EXPLAIN QUERY PLAN SELECT * FROM t", "EXPLAIN SELECT t"},
      {"CREATE UNIQUE INDEX IF NOT EXISTS i ON t(a)", "CREATE INDEX i"},
      {"CREATE TEMP TABLE t(a DEFAULT 'x')", "CREATE TABLE t"},
      {"DROP TABLE IF EXISTS main.t", "DROP TABLE main.t"},
      {"ALTER TABLE t ADD COLUMN c DEFAULT 'secret'", "ALTER TABLE t"},
      {"PRAGMA main.user_version = 7", "PRAGMA main.user_version"},
      {"VACUUM INTO 'secret'", "VACUUM"},
      {"ANALYZE", "ANALYZE"},
      {"", ""},
      {"hello FROM you", ""},
      {"'SELECT' FROM t", ""},
      {"CREATE", "CREATE"},
      {"SELECT * FROM", "SELECT"},
      {"SELECT ))) FROM t, u", "SELECT t u"},
  };
  for (const auto& [sql, summary] : cases) {
    CAPTURE(sql);
    CHECK(query_summary(sql) == summary);
  }
}

TEST_CASE("query_summary: what could be a value is in none, also where SQLite would take it for a name") {
  for (const char* const sql :
       {"SELECT * FROM 'secret'", "INSERT INTO 'secret' VALUES ('secret')", "SELECT x IS NOT DISTINCT FROM 'secret'",
        "SELECT x IS DISTINCT FROM secret FROM t", "SELECT x FROM t WHERE x = \"secret\" OR y IN ('a', 'secret')",
        "UPDATE t SET x = 'secret'", "SELECT * FROM t LIMIT 1, secret", "SELECT * FROM f('a', 'secret'), u('secret')",
        "VALUES ('secret')", "SELECT x FROM t GROUP BY x, secret HAVING x > 'secret'", "ATTACH 'secret' AS secret",
        "PRAGMA key = 'secret'", "PRAGMA key('secret')"}) {
    CAPTURE(sql);
    CHECK(query_summary(sql).find("secret") == std::string::npos);
  }
}

TEST_CASE("query_summary: not longer than the convention allows, and never a part of a name") {
  std::string sql = "SELECT * FROM table_0";
  for (int i = 1; i < 100; ++i) sql += ", table_" + std::to_string(i);
  const std::string summary = query_summary(sql);
  CHECK(summary.size() <= 255);
  CHECK(summary.size() > 240);
  CHECK(sql.find(summary.substr(summary.rfind(' ') + 1) + ",") != std::string::npos);
  CHECK(query_summary("SELECT * FROM " + std::string(300, 'a') + ", b") == "SELECT");
}

}  // namespace
}  // namespace statehouse::test
