#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cluster_fixture.hpp"
#include "cluster_leader.hpp"
#include "long_form.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

AppStateOptions failing_over(const ClusterFixture& cluster) {
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.acquire_timeout = TimeLimit();
  options.pool.cluster.nodes = cluster.addresses();
  options.pool.cluster.dial_timeout = 5s;  // that a node which is stopped takes up
  options.pool.cluster.find_leader = TimeLimit();
  return options;
}

/// Writes numbers one after another until `enough`, and counts what became of each.
struct Model {
  std::set<std::int64_t> acknowledged;
  std::set<std::int64_t> unknown;
  std::map<std::int64_t, std::string> failed;  ///< And why.
};

asio::awaitable<void> write_some(const Pool& pool, std::int64_t first, std::int64_t count, Model& model,
                                 std::atomic<int>& written) {
  for (std::int64_t i = first; i < first + count; ++i) {
    try {
      co_await pool.execute("INSERT INTO t VALUES (?)", i);
      model.acknowledged.insert(i);
    } catch (const Error& error) {
      if (error.code() == errc::outcome_unknown) {
        model.unknown.insert(i);
      } else {
        model.failed.emplace(i, error.what());
      }
    }
    ++written;
  }
}

void check(const Model& model, const std::set<std::int64_t>& kept) {
  for (const std::int64_t each : model.acknowledged) CHECK(kept.contains(each));
  for (const auto& [each, why] : model.failed) {
    CAPTURE(why);
    CHECK_FALSE(kept.contains(each));
    FAIL_CHECK("nothing but a leader's end was in the way, and there was time for another one");
  }
  for (const std::int64_t each : kept) CHECK((model.acknowledged.contains(each) || model.unknown.contains(each)));
}

std::set<std::int64_t> kept_in(ThreadedApp& app, const Pool& pool) {
  const auto rows = app.run(pool.query_all<std::int64_t>("SELECT a FROM t"));
  return {rows.begin(), rows.end()};
}

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

/// What became of all writes so far.
struct Books {
  Model all;
  std::int64_t next = 0;  // number that nobody has written

  void add(std::vector<Model>& models) {
    for (Model& each : models) {
      all.acknowledged.merge(each.acknowledged);
      all.unknown.merge(each.unknown);
      all.failed.merge(each.failed);
    }
  }
};

/// Eight write while `end` does something to the leader; comes back when all have been told.
template <class End>
void write_through(ThreadedApp& app, const Pool& pool, Books& books, End end) {
  constexpr std::int64_t each_writes = 100;
  std::vector<Model> models(8);
  std::vector<std::future<void>> writers;
  std::atomic<int> written{0};
  for (Model& model : models) {
    const std::int64_t first = std::exchange(books.next, books.next + each_writes);
    writers.push_back(app.spawn([&, first] { return write_some(pool, first, each_writes, model, written); }));
  }
  while (written < 100) std::this_thread::yield();
  end();
  for (auto& writer : writers) writer.get();
  books.add(models);
}

TEST_CASE("cluster: with the leader ended under load every write is truthfully kept, failed or unknown") {
  ClusterFixture cluster;
  ThreadedApp app(failing_over(cluster), 4);
  Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"));
  Books books;
  const int rounds = long_form() ? 60 : 3;
  for (int round = 0; round < rounds; ++round) {
    const int signal = std::array{SIGKILL, SIGSTOP, SIGTERM}[static_cast<std::size_t>(round) % 3];
    CAPTURE(round, signal);
    std::size_t leader = 0;
    write_through(app, pool, books, [&] {
      leader = leader_of(cluster);
      cluster.node(leader).signal(signal);
    });
    cluster.kill(leader);
    cluster.start(leader);
    check(books.all, kept_in(app, pool));
  }
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
  options.pool.cluster.find_leader = 500ms;
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
