#include <array>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstddef>

#include "cluster_fixture.hpp"
#include "cluster_leader.hpp"
#include "long_form.hpp"
#include "state_support.hpp"
#include "write_model.hpp"

namespace statehouse::test {
namespace {

TEST_CASE("cluster: a leader that is killed is replaced unseen, and reads and writes go on") {
  ClusterFixture cluster;
  ThreadedApp app(failing_over(cluster));
  Pool pool = app.open();
  CHECK(pool.path().empty());
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
    co_await pool.execute("INSERT INTO t VALUES (1)");
  });
  cluster.kill(leader_of(cluster));
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 1);
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (2)")).changes == 1);
  CHECK(kept_in(app, pool).size() == 2);
}

/// One node after another, as `choose(cluster)` says, is killed, stopped and terminated while others write. What is
/// kept is looked at when it is back; with `it_leads` as it has it itself.
template <class Choose>
void end_under_load(int rounds, bool it_leads, Choose choose) {
  ClusterFixture cluster;
  ThreadedApp app(failing_over(cluster), 4);
  Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"));
  Books books;
  for (int round = 0; round < rounds; ++round) {
    const int signal = std::array{SIGKILL, SIGSTOP, SIGTERM}[static_cast<std::size_t>(round) % 3];
    CAPTURE(round, signal);
    std::size_t ended = 0;
    write_through(app, pool, books, [&] {
      ended = choose(cluster);
      cluster.node(ended).signal(signal);
    });
    cluster.kill(ended);
    cluster.start(ended);
    it_leads ? check_on(cluster, ended, app, pool, books) : check(books.all, kept_in(app, pool));
  }
  books.tell(rounds);
}

TEST_CASE("cluster: with the leader ended under load every write is truthfully kept, failed or unknown") {
  end_under_load(long_form() ? 60 : 3, false, [](const ClusterFixture& cluster) { return leader_of(cluster); });
}

TEST_CASE("cluster: with a follower ended under load every write is truthfully kept, and it has them when it is back") {
  end_under_load(long_form() ? 30 : 3, true,
                 [](const ClusterFixture& cluster) { return (leader_of(cluster) + 1) % ClusterFixture::size; });
}

TEST_CASE("cluster: when all nodes die at once and come back, all that was acknowledged is there") {
  ClusterFixture cluster;
  ThreadedApp app(failing_over(cluster), 4);
  Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"));
  Books books;
  write_through(app, pool, books, [&] {
    for (std::size_t i = 0; i < ClusterFixture::size; ++i) cluster.node(i).signal(SIGKILL);
    for (std::size_t i = 0; i < ClusterFixture::size; ++i) cluster.kill(i);
    for (std::size_t i = 0; i < ClusterFixture::size; ++i) cluster.start(i);
  });
  check(books.all, kept_in(app, pool));
}

TEST_CASE("cluster: a transaction that spans the leader's death is lost as a whole, and says so") {
  ClusterFixture cluster;
  ThreadedApp app(failing_over(cluster));
  const Pool pool = app.open();
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
    auto tx = co_await pool.begin();
    co_await tx.execute("INSERT INTO t VALUES (1)");
    cluster.kill(leader_of(cluster));
    boost::system::error_code code;
    try {
      co_await tx.execute("INSERT INTO t VALUES (2)");
    } catch (const Error& error) {
      code = error.code();
    }
    CHECK(code == errc::unavailable);
  });
  CHECK(kept_in(app, pool).empty());
}

TEST_CASE("cluster: without a majority there is no leader, which is unavailable and executes nothing") {
  ClusterFixture cluster;
  AppStateOptions options = failing_over(cluster);
  options.pool.cluster.find_leader = 5s;
  ThreadedApp app(options);
  Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"));
  const std::size_t leader = leader_of(cluster);
  cluster.kill(leader);
  cluster.kill((leader + 1) % ClusterFixture::size);
  CHECK(code_of([&] { app.run(pool.execute("INSERT INTO t VALUES (1)")); }) == errc::unavailable);
}

}  // namespace
}  // namespace statehouse::test
