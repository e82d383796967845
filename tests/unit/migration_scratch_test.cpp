#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "migrator_of.hpp"
#include "statehouse/connection.hpp"

/// What is found out about a script before it runs leaves the process as it was.
using namespace statehouse;

namespace {

/// As `plan` of a service would, where a DROP TABLE has the script followed on a schema in memory.
void plan(const std::string& script) {
  Connection db = Connection::in_memory("app");
  db.execute("CREATE TABLE dropped(x)");
  CHECK(test::migrations({script + "; DROP TABLE dropped"}).plan(db).size() == 1);
}

}  // namespace

TEST_CASE("plan: a PRAGMA of a script takes no effect on the process") {
  for (const std::string pragma : {"hard_heap_limit", "soft_heap_limit"}) plan("PRAGMA " + pragma + " = 100000000");
  CHECK(sqlite3_hard_heap_limit64(-1) == 0);
  CHECK(sqlite3_soft_heap_limit64(-1) == 0);
  sqlite3_hard_heap_limit64(0);
  sqlite3_soft_heap_limit64(0);
}

TEST_CASE("plan: what a CREATE TABLE AS would compute is not kept in memory") {
  constexpr sqlite3_int64 allowed = 256 << 20;
  const std::string rows = "WITH RECURSIVE r(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM r) ";
  for (const std::string& query :
       {std::string("SELECT hex(zeroblob(200000000))"), rows + "SELECT printf('%.*c', 100000, 'x') FROM r LIMIT 4000",
        rows + "SELECT randomblob(100000) AS x FROM r LIMIT 4000",
        "SELECT * FROM (" + rows + "SELECT randomblob(100000) AS x FROM r LIMIT 4000) ORDER BY x"}) {
    INFO(query);
    sqlite3_memory_highwater(1);
    const sqlite3_int64 before = sqlite3_memory_used();
    plan("CREATE TABLE computed AS " + query);
    CHECK(sqlite3_memory_highwater(0) - before < allowed);
  }
}
