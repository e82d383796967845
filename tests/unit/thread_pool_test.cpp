// The threads that run SQLite: what is posted runs, in order, on one of them, however they idle in between.

#include "state/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/strand.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace statehouse::test {
namespace {

namespace asio = boost::asio;
using detail::ThreadPool;

TEST_CASE("thread pool: functions begin in the order in which they were posted, and all have run when it is over") {
  std::vector<int> ran;
  {
    ThreadPool pool(1);
    for (int i = 0; i < 1000; ++i) asio::post(pool.get_executor(), [&ran, i] { ran.push_back(i); });
  }
  REQUIRE(ran.size() == 1000);
  CHECK(std::ranges::is_sorted(ran));
}

TEST_CASE("thread pool: as many functions run at the same time as there are threads") {
  std::barrier all(5);
  ThreadPool pool(4);
  // All of them sleep or stay awake, then all are needed: twice, as they idle differently after work.
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 4; ++i) asio::post(pool.get_executor(), [&] { all.arrive_and_wait(); });
    all.arrive_and_wait();
  }
}

TEST_CASE("thread pool: a function never runs on the thread that posts it, not even on one of the pool's") {
  bool outer_is_over = false;
  bool inner_came_later = false;
  {
    ThreadPool pool(1);
    const asio::any_io_executor executor = pool.get_executor();
    asio::post(executor, [&, executor] {
      executor.execute([&] { inner_came_later = outer_is_over; });
      outer_is_over = true;
    });
  }
  CHECK(inner_came_later);
}

TEST_CASE("thread pool: what a function posts last of all runs too") {
  int ran = 0;
  {
    ThreadPool pool(2);
    asio::post(pool.get_executor(), [&, executor = pool.get_executor()] {
      asio::post(executor, [&, executor] { asio::post(executor, [&] { ++ran; }); });
    });
  }
  CHECK(ran == 1);
}

TEST_CASE("thread pool: who has said that he will post is waited for") {
  // the pool's owner          another thread
  // has it end, waits
  //                           posts, and lets the executor go
  // it is over
  std::atomic<bool> ran{false};
  std::optional<ThreadPool> pool(std::in_place, 2);
  std::optional<asio::any_io_executor> promised(
      asio::prefer(asio::any_io_executor(pool->get_executor()), asio::execution::outstanding_work.tracked));
  std::thread owner([&] { pool.reset(); });
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // an end that does not wait comes first
  asio::post(*promised, [&] { ran = true; });
  promised.reset();
  owner.join();
  CHECK(ran);
}

TEST_CASE("thread pool: strands work on it") {
  int ran = 0;
  {
    ThreadPool pool(4);
    const auto strand = asio::make_strand(pool.get_executor());
    for (int i = 0; i < 1000; ++i) asio::post(strand, [&] { ++ran; });
  }
  CHECK(ran == 1000);
}

TEST_CASE("thread pool: none that comes while threads go to sleep is forgotten") {
  // Pauses around the moment for which a thread stays awake; a function that nobody comes for would hang the test.
  const auto seed = std::random_device()();
  CAPTURE(seed);
  const unsigned threads = GENERATE(1U, 2U, 5U);
  ThreadPool pool(threads);
  std::vector<std::thread> posting;
  for (unsigned who = 0; who < 2; ++who) {
    posting.emplace_back([&, who] {
      std::minstd_rand random(seed + who);
      for (int i = 0; i < 2000; ++i) {
        const auto ran = std::make_shared<std::promise<void>>();
        asio::post(pool.get_executor(), [ran] { ran->set_value(); });
        ran->get_future().wait();
        const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 100);
        while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
      }
    });
  }
  for (std::thread& each : posting) each.join();
}

}  // namespace
}  // namespace statehouse::test
