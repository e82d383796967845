#include <catch2/catch_test_macros.hpp>
#include <string>

#include "cluster_fixture.hpp"
#include "eventually.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {
namespace {

// What a transaction has changed beyond the page cache would go to the log, which is empty in a new database and after
// a checkpoint, and be read from there.
TEST_CASE("nodes: a transaction larger than a node's page cache reads what it has written itself") {
  const ClusterFixture cluster;
  auto db = Connection::in_cluster(
      {.nodes = cluster.addresses(), .database = "test.db", .dial_timeout = patience, .find_leader = patience},
      connection_role::writer);
  db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT");
  for (int round = 1; round <= 3; ++round) {
    db.execute(
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 15000) "
        "INSERT INTO t(name) SELECT hex(randomblob(60)) FROM n");
    CHECK(db.query_one<int>("SELECT count(*) FROM t NOT INDEXED") == round * 15000);
  }
  CHECK(db.query_one<std::string>("PRAGMA integrity_check") == "ok");
}

}  // namespace
}  // namespace statehouse::test
