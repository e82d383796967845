#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "statehouse/detail/operation.hpp"

namespace statehouse::detail {

using OperationList = boost::intrusive::list<Operation>;

/// Operations that wait for a connection, first in, first out. Once it is closed it is empty for ever.
///
/// Thread-safety: none; a lane's is under the lane's mutex.
class OperationQueue {
 public:
  explicit OperationQueue(std::size_t limit) noexcept : limit_(limit) {}

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  bool full() const noexcept { return size() >= limit_; }
  /// There is something to begin.
  bool ready() const noexcept { return begins() && !entries_.empty(); }
  /// What comes may begin, or would if it were its turn.
  bool begins() const noexcept { return !held_ && !asleep_; }
  Operation& front() noexcept { return entries_.front(); }
  /// Of the operation that came last, also if it is gone by now.
  std::uint64_t last_number() const noexcept { return last_number_; }

  void push(Operation& operation);
  /// The longest waiting, which `slot` runs.
  Operation& take(Slot& slot) noexcept;
  /// One that was taken, among the others as it came.
  void put_back(Operation& operation) noexcept;
  /// The longest waiting, which nobody runs.
  Operation& pop() noexcept;
  /// One of those that wait.
  void remove(Operation& operation) noexcept;

  /// Takes out those whose time is up; `tell` hears of each while it is still in.
  template <class Tell>
  OperationList expire(Clock::time_point now, Tell tell);
  /// When somebody's time is up next.
  Clock::time_point next_expiry() const noexcept;

  /// Until `release` nothing is ready.
  void hold() noexcept { held_ = true; }
  void release() noexcept { held_ = false; }
  bool held() const noexcept { return held_; }

  /// The same, until `wake`, while there is nothing that could serve.
  void fall_asleep() noexcept { asleep_ = true; }
  void wake() noexcept { asleep_ = false; }
  bool asleep() const noexcept { return asleep_; }

  /// Fails all that wait.
  OperationList fail_all(const std::exception_ptr& error);
  /// The same. Nothing may be pushed from now on.
  OperationList close(const std::exception_ptr& error);
  /// The error of `close`; null before.
  const std::exception_ptr& closed() const noexcept { return closed_; }

 private:
  const std::size_t limit_;
  OperationList entries_;
  std::uint64_t last_number_ = 0;
  bool held_ = false;
  bool asleep_ = false;
  std::exception_ptr closed_;
};

template <class Tell>
OperationList OperationQueue::expire(Clock::time_point now, Tell tell) {
  OperationList expired;
  for (auto it = entries_.begin(); it != entries_.end();) {
    Operation& operation = *it++;
    if (operation.wait_until > now) continue;
    tell(operation);
    remove(operation);
    expired.push_back(operation);
  }
  return expired;
}

}  // namespace statehouse::detail
