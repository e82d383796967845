#include <catch2/catch_test_macros.hpp>
#include <string>

#include "cluster_tool.hpp"
#include "error_of.hpp"
#include "plain_database.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {
namespace {

/// Of everything that a schema may have and a node takes.
constexpr const char* rich_schema =
    "PRAGMA user_version = 7; PRAGMA application_id = 99;"
    "CREATE TABLE parent(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);"
    "INSERT INTO parent VALUES (5, 'five'), (9, 'it''s \"nine\"'), (100, NULL); DELETE FROM parent WHERE id = 100;"
    "CREATE TABLE a_child(parent REFERENCES parent, \"odd \"\" name\" ANY, CHECK (parent <> 0));"
    "INSERT INTO a_child VALUES (5, 1), (5, 0.1), (9, x'00ff'), (9, 'gr\xC3\xBC\xC3\x9F'), (NULL, NULL), (9, 1e300 * "
    "1e300);"
    "DELETE FROM a_child WHERE rowid = 2; INSERT INTO a_child VALUES (9, 2.5), (9, -9223372036854775808);"
    "CREATE TABLE pairs(a TEXT, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO pairs VALUES ('x', 2), ('y', "
    "1);"
    "CREATE TABLE computed(a INTEGER, b INTEGER AS (a * 2) STORED) STRICT; INSERT INTO computed(a) VALUES (21);"
    "CREATE INDEX names ON parent(name) WHERE name IS NOT NULL;"
    "CREATE VIEW shown AS SELECT id FROM parent;"
    "CREATE TRIGGER watched AFTER INSERT ON parent BEGIN INSERT INTO a_child VALUES (new.id, 'seen; too'); END;"
    "CREATE VIRTUAL TABLE search USING fts5(body); INSERT INTO search VALUES ('some words'), ('other words');"
    "ANALYZE;";

struct ImportWorkshop : ClusterWorkshop {
  Connection open() const {
    return Connection::in_cluster(
        {.nodes = cluster.addresses(), .database = "a.db", .dial_timeout = patience, .find_leader = patience},
        connection_role::writer);
  }
  ToolRun import() const { return on_cluster({"cluster", "import", "--name", "a", "x.db"}); }
};

TEST_CASE("statehouse cluster: import copies schema and rows as they are, and dump gives them back") {
  const ImportWorkshop shop;
  PlainDatabase(shop / "x.db").execute(rich_schema);
  const ToolRun run = shop.import();
  CAPTURE(run.out, run.err);
  REQUIRE(run.exit_code == 0);
  CHECK(run.document().at("rows").to_number<int>() > 10);
  auto db = shop.open();
  CHECK(db.query_all<std::string>("SELECT body FROM search('other')") == std::vector<std::string>{"other words"});
  CHECK(db.query_one<int>("PRAGMA user_version") == 7);
  CHECK(db.query_all<int>("SELECT rowid FROM a_child ORDER BY rowid") == std::vector{1, 3, 4, 5, 6, 7, 8});
  CHECK(db.query_one<int>("SELECT count(*) FROM a_child WHERE \"odd \"\" name\" = 'seen; too'") == 0);
  db.execute("INSERT INTO parent(name) VALUES ('new')");
  CHECK(db.query_one<int>("SELECT max(id) FROM parent") == 101);  // ids that were used are not used again
  CHECK(db.query_one<int>("SELECT count(*) FROM a_child WHERE \"odd \"\" name\" = 'seen; too'") == 1);
  db.execute("DELETE FROM a_child WHERE parent = 101");
  db.execute("DELETE FROM parent WHERE id = 101");
  REQUIRE(shop.on_cluster({"cluster", "dump", "--name", "a", "--to", "back.db"}).exit_code == 0);
  const PlainDatabase before(shop / "x.db");
  const PlainDatabase after(shop / "back.db");
  for (const char* const sql :
       {"SELECT type || name || coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1",
        "SELECT id || quote(name) FROM parent ORDER BY id",
        "SELECT rowid || quote(parent) || typeof(\"odd \"\" name\") || quote(\"odd \"\" name\") FROM a_child ORDER BY "
        "rowid",
        "SELECT a || b FROM pairs", "SELECT a || b FROM computed", "PRAGMA application_id"}) {
    CAPTURE(sql);
    CHECK(before.column(sql) == after.column(sql));
  }
  CHECK(after.text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("statehouse cluster: import of what no node takes says so, and the next one begins anew") {
  const ImportWorkshop shop;
  for (const auto& [schema, said] :
       {std::pair{"CREATE TABLE t(done BOOLEAN); INSERT INTO t VALUES (1)", "BOOLEAN"},
        std::pair{"CREATE TABLE t(a); INSERT INTO t VALUES ('a' || char(0) || 'b')", "CAST(\"a\" AS BLOB)"},
        std::pair{"CREATE TABLE first(a); INSERT INTO first VALUES (1); CREATE TABLE t(at DATETIME)", "DATETIME"}}) {
    CAPTURE(schema);
    std::filesystem::remove(shop / "x.db");
    PlainDatabase(shop / "x.db").execute(schema);
    const ToolRun run = shop.import();
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "not_supported");
    CHECK(contains(message_of(run), said));
  }
  std::filesystem::remove(shop / "x.db");
  // The first table leaves one of SQLite's own behind, which there is no other way to make.
  PlainDatabase(shop / "x.db")
      .execute(
          "CREATE TABLE gone(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO gone DEFAULT VALUES; DROP TABLE gone;"
          "CREATE TABLE other(a INTEGER); INSERT INTO other VALUES (1)");
  CHECK(shop.import().exit_code == 0);
  auto db = shop.open();
  CHECK(db.query_all<std::string>("SELECT name FROM sqlite_master") == std::vector<std::string>{"other"});
}

TEST_CASE(
    "statehouse cluster: import goes on where the leader is killed in the middle of it, and copies each row once") {
  ImportWorkshop shop;
  PlainDatabase(shop / "x.db")
      .execute(
          "CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB) STRICT; CREATE INDEX i ON t(x);"
          "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
          "INSERT INTO t SELECT i, randomblob(2000) FROM n");
  ToolProcess importing(shop.path(), {"cluster", "import", "--name", "a", "--cluster", shop.nodes(), "--dial-timeout",
                                      "10", "--find-leader", "60", "x.db"});
  auto db = shop.open();
  const auto copied = [&] {
    try {
      return db.query_one<int>("SELECT count(*) FROM t");
    } catch (const Error&) {  // there is no table yet
      return 0;
    }
  };
  while (copied() < 200) {
  }
  shop.cluster.kill(leader_of(shop.cluster));
  CHECK(importing.wait() == 0);
  CHECK(copied() == 4000);
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_master") == 2);
}

TEST_CASE("statehouse cluster: import takes a whole file only, and into nothing that is there") {
  const ImportWorkshop shop;
  CHECK(shop.import().kind() == "not_found");
  PlainDatabase(shop / "x.db").execute("CREATE TABLE t(a INTEGER) STRICT; INSERT INTO t VALUES (1)");
  auto db = shop.open();
  db.execute("CREATE TABLE mine(a INTEGER) STRICT");
  const ToolRun occupied = shop.import();
  CHECK(occupied.exit_code == 1);
  CHECK(occupied.kind() == "not_empty");
  CHECK(db.query_all<std::string>("SELECT name FROM sqlite_master") == std::vector<std::string>{"mine"});
  db.execute("CREATE TABLE _statehouse_import(done INTEGER NOT NULL) STRICT");  // as an import has left it
  CHECK(shop.import().kind() == "not_empty");
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_master WHERE name = 'mine'") == 1);
  write_file(shop / "x.db", std::string(8192, 'x'));
  CHECK(shop.import().exit_code == 1);
  CHECK(shop.on_cluster({"cluster", "import", "--name", "b", "x.db"}).kind() == "corrupt");
}

TEST_CASE("statehouse cluster: a database that the tool has migrated is imported with its record, and migrated on") {
  const ImportWorkshop shop;
  shop.migration("1_a.sql", "CREATE TABLE t(a INTEGER) STRICT; INSERT INTO t VALUES (1)");
  REQUIRE(shop.migrate("run").exit_code == 0);
  REQUIRE(shop.import().exit_code == 0);
  shop.migration("2_b.sql", "INSERT INTO t VALUES (2)");
  const ToolRun run = shop.on_cluster({"migrate", "run", "--name", "a"});
  CAPTURE(run.out);
  CHECK(run.exit_code == 0);
  CHECK(run.document().at("applied").as_array().size() == 1);
  CHECK(shop.open().query_one<int>("SELECT count(*) FROM t") == 2);
}

}  // namespace
}  // namespace statehouse::test
