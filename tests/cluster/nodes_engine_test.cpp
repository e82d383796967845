#include <sqlite3.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "cluster/cluster_engine.hpp"
#include "cluster_fixture.hpp"
#include "cluster_leader.hpp"
#include "engine/connection_access.hpp"
#include "error_of.hpp"
#include "statehouse/testing/log_capture.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

/// Connections to a cluster as a pool has them, used by the test's thread.
struct Nodes {
  ClusterOptions options() const {
    return {.nodes = cluster.addresses(), .database = "test.db", .dial_timeout = patience, .find_leader = patience};
  }
  std::unique_ptr<Connection> open(connection_role role = connection_role::writer) {
    return detail::connect(engine.open(role, std::make_shared<detail::Interrupter>(make_steady_clock())),
                           ConnectionOptions{});
  }
  std::size_t leader() const { return leader_of(cluster); }

  ClusterFixture cluster;
  testing::LogCapture log;
  detail::ClusterEngine engine{{.database = "test", .cluster = options(), .connection = {}, .logger = log.logger()}};
};

TEST_CASE("nodes: values of every type come back as they were given") {
  Nodes nodes;
  const auto db = nodes.open();
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}};
  CHECK(db->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, r REAL, s TEXT, b BLOB) STRICT").changes == 0);
  const auto first = db->execute("INSERT INTO t(i, r, s, b) VALUES (?, ?, ?, ?)",
                                 std::numeric_limits<std::int64_t>::min(), 1.5, "gr\xC3\xBC\xC3\x9F", bytes);
  CHECK(first.changes == 1);
  CHECK(first.last_insert_rowid == 1);
  db->execute("INSERT INTO t(i, r, s, b) VALUES (NULL, NULL, NULL, NULL)");
  using Row = std::tuple<std::optional<std::int64_t>, std::optional<double>, std::optional<std::string>,
                         std::optional<std::vector<std::byte>>>;
  const auto rows = nodes.open(connection_role::reader)->query_all<Row>("SELECT i, r, s, b FROM t ORDER BY id");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == Row{std::numeric_limits<std::int64_t>::min(), 1.5, "gr\xC3\xBC\xC3\x9F", bytes});
  CHECK(rows[1] == Row{});
  const auto none = db->execute("UPDATE t SET i = 1 WHERE id = 99");
  CHECK(none.changes == 0);
  CHECK(none.last_insert_rowid == 0);
}

TEST_CASE("nodes: many rows and large values come whole and in order") {
  Nodes nodes;
  const auto db = nodes.open();
  const auto numbers = db->query_all<std::int64_t>(
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT x FROM c");
  REQUIRE(numbers.size() == 20000);
  for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(numbers[i] == static_cast<std::int64_t>(i) + 1);
  const std::string large(3 << 20, 'x');
  CHECK(db->query_one<std::string>("SELECT ?", large) == large);
}

TEST_CASE("nodes: errors of SQL are those of a file, and leave the connection usable") {
  Nodes nodes;
  const auto db = nodes.open();
  db->execute("CREATE TABLE t(a INTEGER PRIMARY KEY CHECK (a > 0)) STRICT");
  db->execute("INSERT INTO t VALUES (1)");
  const auto code = [&](const char* sql) { return code_of([&] { db->execute(sql); }); };
  CHECK(code("INSERT INTO t VALUES (1)") == condition::unique);
  CHECK(code("INSERT INTO t VALUES (-1)") == condition::constraint);
  CHECK(code("INSERT INTO nowhere VALUES (1)") == make_sqlite_error(SQLITE_ERROR));
  CHECK(code("INSERT INTO t VALUES (2) RETURNING a") == errc::not_supported);
  CHECK(code("CREATE TABLE u(done BOOLEAN)") == errc::not_supported);
  CHECK(code("INSERT INTO t VALUES (?)") == errc::parameter_count);
  CHECK(db->query_one<int>("SELECT count(*) FROM t") == 1);
  CHECK(code_of([&] { db->query_one<int>("SELECT abs(-9223372036854775807 - 1)"); }) ==
        make_sqlite_error(SQLITE_ERROR));
}

TEST_CASE("nodes: a transaction is kept as a whole, or not at all, and a savepoint alone") {
  Nodes nodes;
  const auto db = nodes.open();
  const auto reader = nodes.open(connection_role::reader);
  detail::Session& session = detail::session_of(*db);
  db->execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
  session.begin(detail::transaction_kind::immediate);
  db->execute("INSERT INTO t VALUES (1)");
  CHECK_THROWS(db->savepoint([&] {
    db->execute("INSERT INTO t VALUES (2)");
    throw std::runtime_error("inner");
  }));
  db->savepoint([&] { db->execute("INSERT INTO t VALUES (3)"); });
  CHECK(reader->query_one<int>("SELECT count(*) FROM t") == 0);
  session.commit();
  CHECK(reader->query_all<int>("SELECT a FROM t ORDER BY a") == std::vector{1, 3});
  session.begin(detail::transaction_kind::immediate);
  db->execute("INSERT INTO t VALUES (4)");
  CHECK(session.clean() == detail::hygiene::rolled_back);
  CHECK(reader->query_one<int>("SELECT count(*) FROM t") == 2);
}

TEST_CASE("nodes: a transaction that SQLite ends inside of the node is known to be over") {
  Nodes nodes;
  const auto db = nodes.open();
  detail::Session& session = detail::session_of(*db);
  db->execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
  db->execute("INSERT INTO t VALUES (1)");
  session.begin(detail::transaction_kind::immediate);
  CHECK(code_of([&] { db->execute("INSERT INTO t VALUES (1)"); }) == condition::unique);
  CHECK(session.in_transaction());
  CHECK(code_of([&] { db->execute("INSERT OR ROLLBACK INTO t VALUES (1)"); }) == condition::unique);
  CHECK_FALSE(session.in_transaction());
  CHECK(code_of([&] { db->execute("INSERT INTO t VALUES (2)"); }) == errc::transaction_rolled_back);
  session.clean();
  CHECK(db->query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("nodes: writes share a transaction only where no foreign key is put off") {
  Nodes nodes;
  const auto db = nodes.open();
  detail::Session& session = detail::session_of(*db);
  db->execute("CREATE TABLE a(id INTEGER PRIMARY KEY) STRICT");
  CHECK(session.try_begin(detail::transaction_kind::immediate));
  session.rollback();
  nodes.open()->execute("CREATE TABLE b(a INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED) STRICT");
  CHECK_FALSE(session.try_begin(detail::transaction_kind::immediate));
  CHECK_FALSE(session.in_transaction());
}

TEST_CASE("nodes: scripts run statement by statement, triggers with their semicolons") {
  Nodes nodes;
  const auto db = nodes.open();
  db->execute_script(
      "CREATE TABLE t(a); -- a comment; with a semicolon\n"
      "CREATE TABLE log(a);\n"
      "CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('x;y'); SELECT 1; END;\n"
      "INSERT INTO t VALUES (1)");
  CHECK(db->query_one<std::string>("SELECT a FROM log") == "x;y");
  CHECK(code_of([&] { db->execute_script("INSERT INTO t VALUES (2); INSERT INTO nowhere VALUES (3)"); }) ==
        make_sqlite_error(SQLITE_ERROR));
  CHECK(db->query_one<int>("SELECT count(*) FROM t") == 2);
}

TEST_CASE("nodes: a temporary table is its user's, and asks for a new connection") {
  Nodes nodes;
  const auto db = nodes.open();
  db->execute("CREATE TEMP TABLE mine(a)");
  db->execute("INSERT INTO mine VALUES (1)");
  CHECK(db->query_one<int>("SELECT count(*) FROM mine") == 1);
  CHECK(detail::session_of(*db).changed());
  CHECK_FALSE(detail::session_of(*db).put_back());
}

TEST_CASE("nodes: a NULL that a node would give as false is an error that says what to do") {
  Nodes nodes;
  const auto db = nodes.open();
  db->execute("CREATE TABLE _sqlx_migrations(success BOOLEAN)");  // the only table that may have such a column
  db->execute("INSERT INTO _sqlx_migrations VALUES (NULL)");
  CHECK(code_of([&] { db->query_one<std::optional<int>>("SELECT success FROM _sqlx_migrations"); }) ==
        errc::not_supported);
  CHECK(db->query_one<std::optional<int>>("SELECT +success FROM _sqlx_migrations") == std::nullopt);
}

TEST_CASE("nodes: another connection's commit changes the data version") {
  Nodes nodes;
  const auto one = nodes.open();
  const auto other = nodes.open();
  one->execute("CREATE TABLE t(a)");
  const auto before = one->query_one<std::int64_t>("PRAGMA data_version");
  CHECK(one->query_one<std::int64_t>("PRAGMA data_version") == before);
  other->execute("INSERT INTO t VALUES (1)");
  CHECK(one->query_one<std::int64_t>("PRAGMA data_version") != before);
}

TEST_CASE("nodes: a leader that is killed is replaced unseen, and a transaction with it is lost as a whole") {
  Nodes nodes;
  const auto db = nodes.open();
  const auto reader = nodes.open(connection_role::reader);
  detail::Session& session = detail::session_of(*db);
  db->execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
  db->execute("INSERT INTO t VALUES (1)");
  CHECK(reader->query_one<int>("SELECT count(*) FROM t") == 1);
  const std::size_t first = nodes.leader();
  nodes.cluster.kill(first);
  CHECK(reader->query_one<int>("SELECT count(*) FROM t") == 1);
  CHECK(db->execute("INSERT INTO t VALUES (2)").changes == 1);
  nodes.cluster.start(first);
  session.begin(detail::transaction_kind::immediate);
  db->execute("INSERT INTO t VALUES (3)");
  nodes.cluster.kill(nodes.leader());
  CHECK(code_of([&] { db->execute("INSERT INTO t VALUES (4)"); }) == errc::unavailable);
  CHECK(code_of([&] { db->execute("INSERT INTO t VALUES (5)"); }) == errc::transaction_rolled_back);
  session.clean();
  CHECK(reader->query_all<int>("SELECT a FROM t ORDER BY a") == std::vector{1, 2});
}

TEST_CASE("nodes: with the leader killed under load every write is truthfully kept, failed or unknown") {
  Nodes nodes;
  const auto db = nodes.open();
  db->execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
  std::set<int> acknowledged;
  std::set<int> unknown;
  std::thread killer;
  std::atomic<bool> killed{false};
  for (int i = 0, left = 50; left > 0; ++i) {
    if (killed) --left;
    if (i == 50)
      killer = std::thread([&] {
        nodes.cluster.kill(nodes.leader());
        killed = true;
      });
    try {
      db->execute("INSERT INTO t VALUES (?)", i);
      acknowledged.insert(i);
    } catch (const Error& error) {
      CAPTURE(error.what());
      CHECK(error.code() == errc::outcome_unknown);
      unknown.insert(i);
    }
  }
  killer.join();
  CHECK(unknown.size() <= 3);  // one, and what the cluster may vote for besides
  const auto rows = db->query_all<int>("SELECT a FROM t");
  const std::set<int> kept(rows.begin(), rows.end());
  for (const int each : acknowledged) CHECK(kept.contains(each));
  for (const int each : kept) CHECK((acknowledged.contains(each) || unknown.contains(each)));
}

TEST_CASE("nodes: without a majority there is no leader, which is unavailable and executes nothing") {
  Nodes nodes;
  const auto db = nodes.open();
  db->execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
  const std::size_t leader = nodes.leader();
  nodes.cluster.kill(leader);
  nodes.cluster.kill((leader + 1) % ClusterFixture::size);
  ClusterOptions options = nodes.options();
  options.find_leader = 300ms;
  detail::ClusterEngine engine(
      {.database = "test", .cluster = options, .connection = {}, .logger = nodes.log.logger()});
  const auto stop = std::make_shared<detail::Interrupter>(make_steady_clock());
  CHECK(code_of([&] { engine.open(connection_role::writer, stop); }) == errc::unavailable);
}

}  // namespace
}  // namespace statehouse::test
