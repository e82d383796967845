#pragma once

#include <future>
#include <optional>

#include "lane/database_executor.hpp"
#include "state/thread_pool.hpp"

namespace statehouse::detail {

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
