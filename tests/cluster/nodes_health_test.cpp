#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "cluster_fixture.hpp"
#include "cluster_leader.hpp"
#include "state_support.hpp"
#include "write_model.hpp"

namespace statehouse::test {
namespace {

TEST_CASE("cluster: health tells of a majority that is lost once somebody has missed it, and of one that is back") {
  ClusterFixture cluster;
  AppStateOptions options = failing_over(cluster);
  options.pool.cluster.find_leader = 500ms;
  ThreadedApp app(std::move(options));
  const Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a)"));
  const auto health = [&] { return app.state->db_instances.health(); };
  CHECK(health().ready());
  for (const std::size_t index : {0U, 1U}) cluster.kill(index);

  const auto reached = [&] {
    try {
      app.run(pool.execute("INSERT INTO t VALUES (1)"));
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  CHECK(eventually([&] { return !reached() && health().databases.at(0).reason == health_reason::no_leader; }));
  CHECK_FALSE(health().ready());
  CHECK(health().live());
  for (const std::size_t index : {0U, 1U}) cluster.start(index);
  CHECK(eventually(reached));
  CHECK(health().ready());
}

}  // namespace
}  // namespace statehouse::test
