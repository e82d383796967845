#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cluster_fixture.hpp"
#include "cluster_leader.hpp"
#include "error_of.hpp"
#include "long_form.hpp"
#include "migrator_of.hpp"
#include "paused_links.hpp"
#include "state_support.hpp"
#include "statehouse/connection.hpp"
#include "write_model.hpp"

namespace statehouse::test {
namespace {

/// Nodes that can be cut off from each other. All of them are reached by those who use them, as in the worst case: one
/// that leads and is cut off goes on to answer until it notices.
struct Partitioned {
  std::optional<PausedLinks> links;  // as long as the nodes
  ClusterFixture cluster{100, [this](const std::vector<std::string>& addresses, std::size_t index) {
                           if (!links) links.emplace(addresses);
                           return links->environment_of(index);
                         }};
};

/// Waits until another one than `node` leads.
void wait_for_another(const ClusterFixture& cluster, std::size_t node) {
  const detail::Interrupter never(make_steady_clock());
  REQUIRE(eventually([&] {
    for (std::size_t i = 0; i < ClusterFixture::size; ++i) {
      const std::string& address = cluster.addresses()[i];
      const detail::Leader alone({.nodes = {address}, .database = "test.db", .dial_timeout = patience});
      if (i != node && alone.confirms(address, never)) return true;
    }
    return false;
  }));
}

// old leader   answers all            steps down           hears of the new one, forgets what it alone had
// others       ------- cut off ------ elect one ---------- joined again
// eight        write ---------------- to the new one ----- look at each node in turn
TEST_CASE("cluster: with a node cut off from the others under load every write is truthfully kept, failed or unknown") {
  Partitioned nodes;
  ThreadedApp app(failing_over(nodes.cluster), 4);
  const Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"));
  Books books;
  const int rounds = long_form() ? 30 : 2;
  for (int round = 0; round < rounds; ++round) {
    const bool leads = round % 2 == 0;
    CAPTURE(round, leads);
    std::size_t cut = 0;
    write_through(app, pool, books, [&] {
      const std::size_t leader = leader_of(nodes.cluster);
      cut = leads ? leader : (leader + 1) % ClusterFixture::size;
      nodes.links->cut(cut);
      wait_for_another(nodes.cluster, cut);
    });
    nodes.links->cut(cut, false);
    check_on(nodes.cluster, cut, app, pool, books);
  }
  books.tell(rounds);
}

TEST_CASE("cluster: a migration whose COMMIT is not answered is not said to be rolled back, and the next run looks") {
  Partitioned nodes;
  bool unknown = false;
  for (int round = 0; !unknown; ++round) {  // on a busy machine the leader may go before the COMMIT
    std::size_t cut = 0;
    MigratorOptions between;
    between.on_progress = [&](const MigrationProgress& progress) {
      if (progress.index != 1) return;
      cut = leader_of(nodes.cluster);
      nodes.links->cut(cut);
    };
    const auto migrator = migrations({"CREATE TABLE t(a INTEGER) STRICT", "INSERT INTO t VALUES (1)"});
    auto db = Connection::in_cluster({.nodes = nodes.cluster.addresses(),
                                      .database = "round" + std::to_string(round) + ".db",
                                      .dial_timeout = patience,
                                      .find_leader = patience},
                                     connection_role::writer);
    try {
      migrator.with_options(between).run(db);
    } catch (const Error& error) {
      CAPTURE(error.what());
      unknown = error.code() == errc::outcome_unknown;
      CHECK_FALSE((unknown && contains(error.what(), "is rolled back as a whole")));
    }
    nodes.links->cut(cut, false);
    REQUIRE(eventually([&] {
      try {
        migrator.run(db);
        return true;
      } catch (const Error&) {  // the cluster has voted once more
        return false;
      }
    }));
    CHECK(db.query_one<int>("SELECT count(*) FROM t") == 1);
  }
}

}  // namespace
}  // namespace statehouse::test
