#pragma once

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <future>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster_fixture.hpp"
#include "long_form.hpp"
#include "state_support.hpp"
#include "statehouse/cluster_admin.hpp"

/// A model of what a cluster keeps: numbers that are written while something happens to its nodes, and what was said of
/// each.
namespace statehouse::test {

inline AppStateOptions failing_over(const ClusterFixture& cluster) {
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

inline asio::awaitable<void> write_some(const Pool& pool, std::int64_t first, std::int64_t count, Model& model,
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

inline void check(const Model& model, const std::set<std::int64_t>& kept) {
  for (const std::int64_t each : model.acknowledged) CHECK(kept.contains(each));
  for (const auto& [each, why] : model.failed) {
    CAPTURE(why);
    CHECK_FALSE(kept.contains(each));
    FAIL_CHECK("a majority was there, or came back, and there was time for another leader");
  }
  for (const std::int64_t each : kept) CHECK((model.acknowledged.contains(each) || model.unknown.contains(each)));
}

inline std::set<std::int64_t> kept_in(ThreadedApp& app, const Pool& pool) {
  const auto rows = app.run(pool.query_all<std::int64_t>("SELECT a FROM t"));
  return {rows.begin(), rows.end()};
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
  /// In the long form.
  void tell(int rounds) const {
    if (long_form())
      WARN(rounds << " rounds, " << next << " writes: " << all.acknowledged.size() << " acknowledged, "
                  << all.unknown.size() << " unknown, " << all.failed.size() << " failed");
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

/// As the node has it that is made to lead for this, as soon as it can.
inline void check_on(const ClusterFixture& cluster, std::size_t node, ThreadedApp& app, const Pool& pool,
                     const Books& books) {
  const ClusterAdmin admin({.nodes = cluster.addresses(), .dial_timeout = patience, .find_leader = patience});
  REQUIRE(eventually([&] {
    try {
      admin.transfer(node + 1);
      return true;
    } catch (const Error&) {  // it is behind, or others elect
      return false;
    }
  }));
  check(books.all, kept_in(app, pool));
}

}  // namespace statehouse::test
