#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "lane/database_executor.hpp"

namespace statehouse::detail {

/// How many connections the lanes of all databases may have at once. Who would open one more than that waits in turn,
/// first come, first served, and for each who waits one is closed that nobody uses, as soon as there is one.
///
/// Thread-safety: all functions, from any thread, also under a lane's mutex: nothing is called from within.
class ConnectionBudget : public std::enable_shared_from_this<ConnectionBudget> {
 public:
  /// `make_room` closes a connection that nobody uses, if there is one, and releases it; on database threads.
  ConnectionBudget(std::size_t most, DatabaseExecutor executor, std::function<bool()> make_room)
      : most_(most), executor_(std::move(executor)), make_room_(std::move(make_room)) {}

  /// True: one more may be opened, and is the caller's until it is released. Else `granted` is called when that is so,
  /// on a database thread, once.
  bool acquire(std::function<void()> granted);
  void release(std::size_t count = 1) noexcept;
  /// The shutdown has told everybody: nobody waits any more, and who still comes goes on.
  void close() noexcept;

  /// Somebody waits for whom nothing could be closed: who has a connection that he does not use any more closes it.
  bool wanted() const noexcept { return unmet_.load(std::memory_order_relaxed) > 0; }
  std::size_t most() const noexcept { return most_; }
  std::size_t acquired() const;
  std::size_t waiting() const;

 private:
  void make_room();
  void count_unmet() noexcept;

  const std::size_t most_;
  const DatabaseExecutor executor_;
  const std::function<bool()> make_room_;

  mutable std::mutex mutex_;
  std::size_t acquired_ = 0;
  bool closed_ = false;
  std::deque<std::function<void()>> waiting_;
  std::size_t searches_ = 0;           // for them, that have not begun
  std::atomic<std::size_t> unmet_{0};  // who waits beyond those; changes under the mutex
};

/// The right to one connection, given back at the end unless it was handed on.
class ConnectionPermit {
 public:
  ConnectionPermit() = default;  ///< Where nobody counts.
  /// One that was acquired.
  explicit ConnectionPermit(std::shared_ptr<ConnectionBudget> from) noexcept : from_(std::move(from)) {}
  ConnectionPermit(ConnectionPermit&&) = default;
  ConnectionPermit& operator=(ConnectionPermit&& other) noexcept {
    std::swap(from_, other.from_);
    return *this;
  }
  ~ConnectionPermit() {
    if (from_ != nullptr) from_->release();
  }

  /// It is somebody else's to release now. False when there was none.
  bool hand_on() noexcept { return std::exchange(from_, nullptr) != nullptr; }

 private:
  std::shared_ptr<ConnectionBudget> from_;
};

}  // namespace statehouse::detail
