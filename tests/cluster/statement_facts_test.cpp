#include "cluster/statement_facts.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <string_view>

#include "cluster/declared_types.hpp"

namespace statehouse::test {
namespace {

using detail::StatementFacts;
using kind = StatementFacts::kind;

StatementFacts facts(std::string_view sql) {
  return detail::facts_of(detail::tokens_of(sql));
}

std::string unsafe(std::string_view sql) {
  const auto column = detail::unsafe_column(detail::tokens_of(sql));
  return column ? column->name + ' ' + column->type : "";
}

TEST_CASE("facts: what only reads is told from what writes") {
  const auto* const sql = GENERATE(
      "SELECT 1", "values (1)", "/* c */ -- d\n SELECT 1", "EXPLAIN DELETE FROM t", "EXPLAIN QUERY PLAN SELECT 1",
      "WITH a AS (SELECT 1) SELECT * FROM a", "with recursive a(x) as (values(1) union all select x+1 from a) select 1",
      "WITH a AS MATERIALIZED (SELECT ')'), \"b\"(x) AS NOT MATERIALIZED (VALUES (1)) SELECT 1",
      "WITH replace AS (SELECT 1) SELECT * FROM replace", "PRAGMA table_info(t)", "PRAGMA main.table_info('t')",
      "PRAGMA user_version", "PRAGMA page_size", "PRAGMA main.encoding", "EXPLAIN PRAGMA table_info(t)",
      "pragma data_version", "PRAGMA foreign_keys", "PRAGMA integrity_check(5)");
  CAPTURE(sql);
  CHECK(facts(sql).reads());
}

TEST_CASE("facts: what writes is never taken for a query") {
  const auto* const sql = GENERATE(
      "INSERT INTO t VALUES (1)", "replace into t values (1)", "UPDATE t SET a = 1", "DELETE FROM t",
      "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "WITH a AS (SELECT 1), b AS (SELECT 2) DELETE FROM t",
      "WITH a(x) AS (SELECT ';') UPDATE t SET a = 1", "CREATE TABLE t(a)", "DROP TABLE t", "ALTER TABLE t ADD a",
      "REINDEX", "ANALYZE", "VACUUM", "PRAGMA user_version = 3", "PRAGMA main.user_version(3)", "PRAGMA optimize",
      "PRAGMA foreign_keys = OFF", "PRAGMA schema_version = 1", "PRAGMA page_size = 512", "PRAGMA encoding('UTF-16')",
      "EXPLAIN PRAGMA foreign_keys = OFF", "nonsense", "WITH", "WITH a", "WITH a AS (");
  CAPTURE(sql);
  CHECK_FALSE(facts(sql).reads());
}

TEST_CASE("facts: the kinds of transaction control") {
  CHECK(facts("BEGIN IMMEDIATE").what == kind::begin);
  CHECK(facts("commit").what == kind::commit);
  CHECK(facts("END TRANSACTION").what == kind::commit);
  CHECK(facts("ROLLBACK").what == kind::rollback);
  CHECK(facts("ROLLBACK TRANSACTION TO SAVEPOINT a").what == kind::rollback_to);
  CHECK(facts("SAVEPOINT a").what == kind::savepoint);
  CHECK(facts("RELEASE a").what == kind::release);
}

TEST_CASE("facts: RETURNING is found in what writes, and nowhere else") {
  CHECK(facts("INSERT INTO t VALUES (1) RETURNING a").returning);
  CHECK(facts("WITH x AS (SELECT 1) DELETE FROM t\nreturning *").returning);
  CHECK_FALSE(facts("INSERT INTO t VALUES ('RETURNING') -- RETURNING").returning);
  CHECK_FALSE(facts("INSERT INTO t(\"returning\") VALUES (1)").returning);
  CHECK_FALSE(facts("SELECT 1 AS returning").returning);
}

TEST_CASE("facts: what stays with a connection, or puts off foreign keys, is known") {
  CHECK(facts("CREATE TEMP TABLE a(b)").temporary);
  CHECK(facts("CREATE TRIGGER temp.a AFTER INSERT ON t BEGIN SELECT 1; END").temporary);
  CHECK(facts("CREATE TABLE \"temp\".a(b)").temporary);
  CHECK(facts("CREATE VIEW [TEMP] . a AS SELECT 1").temporary);
  CHECK(facts("DROP TABLE `temp`.a").temporary);
  CHECK(facts("PRAGMA foreign_keys = 0").sets_keys);
  CHECK_FALSE(facts("CREATE TABLE a(temp)").temporary);
  CHECK(facts("PRAGMA defer_foreign_keys = ON").defers_keys);
  CHECK(facts("CREATE TABLE a(b REFERENCES c DEFERRABLE INITIALLY DEFERRED)").defers_keys);
  CHECK_FALSE(facts("PRAGMA defer_foreign_keys").defers_keys);
}

TEST_CASE("declared types: columns that a node may die of are found as they are declared") {
  CHECK(unsafe("CREATE TABLE t(id INTEGER, done BOOLEAN)") == "done BOOLEAN");
  CHECK(unsafe("create table if not exists main.t(at datetime default CURRENT_TIMESTAMP)") == "at datetime");
  CHECK(unsafe("CREATE TEMP TABLE t(a, \"b\" \"Date\" NOT NULL)") == "b Date");
  CHECK(unsafe("CREATE TABLE t(a TIMESTAMP, CHECK (a > 0))") == "a TIMESTAMP");
  CHECK(unsafe("ALTER TABLE main.t ADD COLUMN b BOOLEAN DEFAULT 0") == "b BOOLEAN");
  CHECK(unsafe("ALTER TABLE t ADD b DATE") == "b DATE");
  CHECK(unsafe("CREATE TABLE t(a DECIMAL(10, 2), b DATE)") == "b DATE");
}

TEST_CASE("declared types: what a node can read is let through") {
  const auto* const sql = GENERATE(
      "CREATE TABLE t(a INTEGER, b TEXT DEFAULT 'BOOLEAN', \"date\" TEXT)", "CREATE TABLE t(date)",
      "CREATE TABLE t(boolean INTEGER)", "CREATE TABLE t(a DATE(3), b BOOLEAN FLAG)", "CREATE TABLE t AS SELECT 1",
      "CREATE TABLE _sqlx_migrations(success BOOLEAN NOT NULL)", "CREATE VIEW v AS SELECT 1",
      "ALTER TABLE t RENAME COLUMN a TO date", "CREATE VIRTUAL TABLE t USING fts5(date, boolean)",
      "CREATE TABLE t(a INT, PRIMARY KEY (a), FOREIGN KEY (a) REFERENCES u(date))");
  CAPTURE(sql);
  CHECK(unsafe(sql).empty());
}

TEST_CASE(
    "declared types: no CHECK makes them safe, as a compound SELECT puts other values under the first one's type") {
  const auto* const sql = GENERATE("CREATE TABLE t(a BOOLEAN CHECK (typeof(a) IN ('integer', 'null')))",
                                   "CREATE TABLE t(a BOOLEAN NOT NULL, CHECK (typeof(a) = 'integer'))",
                                   "CREATE TABLE t(a DATETIME CHECK (typeof(\"a\") IN ('text', 'null')))");
  CAPTURE(sql);
  CHECK_FALSE(unsafe(sql).empty());
}

}  // namespace
}  // namespace statehouse::test
