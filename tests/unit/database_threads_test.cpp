// The handle through which everything reaches the threads that run SQLite.

#include "state/database_threads.hpp"

#include <atomic>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <thread>

namespace statehouse::test {
namespace {

namespace asio = boost::asio;
using detail::DatabaseExecutor;
using detail::DatabaseThreads;

/// Calls `posted` when a function is queued and `execute` has not returned yet.
struct LingeringExecutor {
  asio::io_context* context;
  std::function<void()>* posted;

  template <class F>
  void execute(F&& f) const {
    const auto call = posted;
    asio::post(*context, std::forward<F>(f));
    (*call)();
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  bool operator==(const LingeringExecutor&) const noexcept = default;
};

TEST_CASE("database threads: all that was posted has run when they are over; what comes later is dropped") {
  int ran = 0;
  std::optional<DatabaseThreads> threads(std::in_place, asio::any_io_executor(), 1);
  const DatabaseExecutor executor = threads->executor();
  for (int i = 0; i < 100; ++i) CHECK(executor.post([&] { ++ran; }));
  threads.reset();
  CHECK(ran == 100);
  CHECK(executor.hold() == nullptr);
  CHECK_FALSE(executor.post([&] { ++ran; }));
  CHECK(ran == 100);
}

TEST_CASE("database threads: they wait for a post that another thread is inside of, and the handle may be gone") {
  // a caller's thread                        another thread
  // post: the function is queued
  //                                          runs it: destroys the handle, then the threads
  // post returns
  //                                          the threads are gone
  asio::io_context context;
  std::function<void()> posted;
  std::optional<DatabaseThreads> threads(std::in_place, asio::any_io_executor(LingeringExecutor{&context, &posted}), 0);
  auto handle = std::make_unique<DatabaseExecutor>(threads->executor());
  std::promise<void> destroying;
  std::atomic<bool> returning{false};
  bool in_time = false;
  std::thread other;
  posted = [&] {
    other = std::thread([&] {
      context.run();
      destroying.set_value();
      threads.reset();
      in_time = returning;
    });
    destroying.get_future().wait();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // who does not wait is seen to be too early
    returning = true;
  };
  CHECK(handle->post([&] { handle.reset(); }));
  other.join();
  CHECK(in_time);
}

}  // namespace
}  // namespace statehouse::test
