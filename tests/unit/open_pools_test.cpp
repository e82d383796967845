// The look-up of every request: whoever looks finds the pool that is open, or none.

#include "state/open_pools.hpp"

#include <catch2/catch_test_macros.hpp>
#include <latch>
#include <thread>

#include "open_session.hpp"
#include "pool/pool_core.hpp"

namespace statehouse::test {
namespace {

using detail::OpenPools;
using detail::PoolCore;

/// A pool without a connection, which is all that a look-up needs.
std::shared_ptr<PoolCore> pool_named(const std::string& name) {
  static const testing::LogCapture log;
  detail::PoolConfig config;
  config.name = name;
  config.path = ":memory:";
  config.options.in_memory = true;
  config.clock = std::make_shared<testing::ManualClock>();
  config.logger = log.logger();
  return std::make_shared<PoolCore>(std::move(config));
}

TEST_CASE("open pools: what is published is found by its name and no other, until it is withdrawn") {
  OpenPools pools;
  CHECK(pools.find("a") == nullptr);
  const auto a = pool_named("a");
  const auto b = pool_named("b");
  pools.publish("a", a);
  CHECK(pools.find("a") == a);
  CHECK(pools.find("b") == nullptr);
  CHECK(pools.find("") == nullptr);
  pools.publish("b", b);
  CHECK(pools.find("b") == b);
  pools.withdraw("nobody");
  pools.withdraw("a");
  CHECK(pools.find("a") == nullptr);
  CHECK(pools.find("b") == b);
  pools.close();
  CHECK(pools.find("b") == nullptr);
  pools.publish("late", a);
  CHECK(pools.find("late") == nullptr);
}

TEST_CASE("open pools: more names than buckets") {
  OpenPools pools;
  std::vector<std::shared_ptr<PoolCore>> all;
  for (int i = 0; i < 3000; ++i) {
    all.push_back(pool_named("x"));
    pools.publish("db" + std::to_string(i), all.back());
  }
  for (int i = 0; i < 3000; ++i) REQUIRE(pools.find("db" + std::to_string(i)) == all[std::size_t(i)]);
  pools.close();
  for (int i = 0; i < 3000; ++i) REQUIRE(pools.find("db" + std::to_string(i)) == nullptr);
}

TEST_CASE("open pools: what was found lives as long as it is held, also when the pools are gone") {
  std::weak_ptr<PoolCore> watched;
  std::shared_ptr<PoolCore> held;
  {
    OpenPools pools;
    auto pool = pool_named("a");
    watched = pool;
    pools.publish("a", pool);
    pool.reset();
    held = pools.find("a");
    pools.withdraw("a");
  }
  REQUIRE_FALSE(watched.expired());
  CHECK(held->config().name == "a");
  held.reset();
  CHECK(watched.expired());
}

TEST_CASE("open pools: threads look while pools come and go, and find the right one or none") {
  // one thread                      eight others
  // publish db0, db1, ...           find db0 ... db63: it, or nothing
  // withdraw every other one        never again, once somebody was told so
  // withdraw_all
  constexpr int names = 64;
  OpenPools pools;
  std::vector<std::shared_ptr<PoolCore>> all;
  for (int i = 0; i < names; ++i) all.push_back(pool_named("db" + std::to_string(i)));
  std::atomic<int> withdrawn{-1};  // all even ones up to here
  std::atomic<bool> closed{false};
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> found{0};
  std::latch ready(9);
  const auto look = [&] {
    ready.arrive_and_wait();
    while (!stop) {
      for (int i = 0; i < names; ++i) {
        const bool gone = closed.load() || (i % 2 == 0 && i <= withdrawn.load());
        const auto pool = pools.find("db" + std::to_string(i));
        if (pool == nullptr) continue;
        ++found;
        wrong += pool != all[std::size_t(i)] || pool->config().name != "db" + std::to_string(i) || gone ? 1 : 0;
      }
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(look);
  ready.arrive_and_wait();
  for (int i = 0; i < names; ++i) {
    pools.publish("db" + std::to_string(i), all[std::size_t(i)]);
    std::this_thread::yield();
  }
  while (found < 1000) std::this_thread::yield();
  for (int i = 0; i < names; i += 2) {
    pools.withdraw("db" + std::to_string(i));
    withdrawn = i;
    std::this_thread::yield();
  }
  pools.close();
  closed = true;
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
  stop = true;
  threads.clear();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace statehouse::test
