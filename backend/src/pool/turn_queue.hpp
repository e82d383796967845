#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "lane/database_executor.hpp"

namespace statehouse::detail {

/// Runs on the database threads what waits for a disk and for which nobody waits, one function at a time: it takes one
/// of these threads from the operations, and never more.
///
/// Thread-safety: `add` from any thread.
class TurnQueue : public std::enable_shared_from_this<TurnQueue> {
 public:
  explicit TurnQueue(DatabaseExecutor executor) noexcept : executor_(std::move(executor)) {}

  /// Never runs it inline. Dropped when the threads are over.
  void add(std::function<void()> turn);

 private:
  void post();
  void run();

  const DatabaseExecutor executor_;
  std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;  // the first is posted, or runs
};

}  // namespace statehouse::detail
