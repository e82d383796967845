// The look-up of every request: whoever looks finds the pool that is open, or none.

#include "state/open_pools.hpp"

#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <latch>
#include <mutex>
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
  config.options = detail::share_options({.in_memory = true});
  config.clock = std::make_shared<testing::ManualClock>();
  config.logger = log.logger();
  return std::make_shared<PoolCore>(std::move(config));
}

TEST_CASE("open pools: what is added is found by its name and no other, until it is withdrawn") {
  OpenPools pools;
  CHECK(pools.find("a") == nullptr);
  const auto a = pool_named("a");
  const auto b = pool_named("b");
  pools.add("a", a);
  CHECK(pools.find("a") == a);
  CHECK(pools.find("b") == nullptr);
  CHECK(pools.find("") == nullptr);
  pools.add("b", b);
  CHECK(pools.find("b") == b);
  pools.withdraw("nobody");
  pools.withdraw("a");
  CHECK(pools.find("a") == nullptr);
  CHECK(pools.find("b") == b);
  pools.add("a", b);  // its successor
  CHECK(pools.find("a") == b);
  pools.close();
  CHECK(pools.find("b") == nullptr);
  pools.add("late", a);
  CHECK(pools.find("late") == nullptr);
}

TEST_CASE("open pools: what one thread has added is withdrawn from all") {
  OpenPools pools;
  const auto a = pool_named("a");
  const auto in_a_thread = [&](auto f) { std::jthread(f).join(); };
  for (int i = 0; i < 40; ++i) in_a_thread([&] { pools.add("a", a); });
  CHECK(a.use_count() == 17);  // a table each, and this one
  pools.withdraw("a");
  CHECK(a.use_count() == 1);
  for (int i = 0; i < 40; ++i)
    in_a_thread([&] {
      if (pools.find("a") != nullptr) std::abort();
    });
}

TEST_CASE("open pools: what was found lives as long as it is held, also when the pools are gone") {
  std::weak_ptr<PoolCore> watched;
  std::shared_ptr<PoolCore> held;
  {
    OpenPools pools;
    auto pool = pool_named("a");
    watched = pool;
    pools.add("a", pool);
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
  // eight threads                            one
  // find db0 ... db63: it, or add it
  //                                          withdraw every other one for good
  // never again, once somebody was told so   close
  constexpr int names = 64;
  OpenPools pools;
  std::vector<std::shared_ptr<PoolCore>> all;
  for (int i = 0; i < names; ++i) all.push_back(pool_named("db" + std::to_string(i)));
  std::array<std::mutex, names> mutexes;  // as a database has one
  std::array<std::atomic<bool>, names> withdrawn{};
  std::atomic<bool> closed{false};
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> found{0};
  std::latch ready(9);
  const auto look = [&] {
    ready.arrive_and_wait();
    while (!stop) {
      for (std::size_t i = 0; i < names; ++i) {
        const bool gone = closed.load() || withdrawn[i].load();
        const std::string name = "db" + std::to_string(i);
        if (const auto pool = pools.find(name)) {
          ++found;
          wrong += pool != all[i] || pool->config().name != name || gone ? 1 : 0;
        } else {
          std::lock_guard lock(mutexes[i]);
          if (!withdrawn[i]) pools.add(name, all[i]);
        }
      }
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(look);
  ready.arrive_and_wait();
  while (found < 1000) std::this_thread::yield();
  for (std::size_t i = 0; i < names; i += 2) {
    std::lock_guard lock(mutexes[i]);
    pools.withdraw("db" + std::to_string(i));
    withdrawn[i] = true;
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
