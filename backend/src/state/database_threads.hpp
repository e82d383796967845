#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "lane/database_executor.hpp"

namespace statehouse::detail {

/// Threads that run what is posted. Not asio::thread_pool, whose constructor waits for ever for those it has started
/// when it cannot start all.
class ThreadPool {
 public:
  /// Throws Error, and leaves no thread, when one cannot be started.
  explicit ThreadPool(unsigned count);
  /// Waits until all that was posted has run.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  asio::any_io_executor get_executor() noexcept { return context_.get_executor(); }

 private:
  struct Unstarted {};
  ThreadPool(Unstarted, unsigned count);

  asio::io_context context_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

/// The threads that run SQLite, or the executor that was injected in their place.
class DatabaseThreads {
 public:
  /// Starts `count` threads when there is no executor. Throws Error when that cannot be done.
  DatabaseThreads(asio::any_io_executor injected, unsigned count);
  /// From here on posts are dropped. Waits for those that other threads are inside of, and lets threads of our own
  /// finish what they have.
  ~DatabaseThreads();
  DatabaseThreads(const DatabaseThreads&) = delete;
  DatabaseThreads& operator=(const DatabaseThreads&) = delete;

  DatabaseExecutor executor() const noexcept { return DatabaseExecutor(target_); }

 private:
  std::optional<ThreadPool> own_;
  std::future<void> released_;  // by the last who held the target
  DatabaseExecutor::Target target_;
};

}  // namespace statehouse::detail
