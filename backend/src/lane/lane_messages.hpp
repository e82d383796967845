#pragma once

#include <vector>

#include "lane/lane_context.hpp"
#include "lane/operation_queue.hpp"
#include "lane/slot_set.hpp"
#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// What a lane says: the errors, the lines in the log, who holds its connections, and what an observer is told.
class LaneMessages {
 public:
  LaneMessages(const LaneContext& context, connection_role role) noexcept : context_(context), role_(role) {}

  std::exception_ptr forked() const;
  std::exception_ptr would_deadlock() const;
  std::exception_ptr queue_full(std::size_t waiting) const;
  /// Of those that wait for a connection; `operation` is still in `queue`. Reads both under the mutex.
  std::exception_ptr timed_out(const Operation& operation, Clock::time_point now, const OperationQueue& queue,
                               const SlotSet& slots, const std::string& last_error) const;
  std::exception_ptr cancelled() const;
  std::exception_ptr lease_finished() const;
  std::exception_ptr lease_busy() const;
  /// Of a lease that never was, or is no more.
  static std::exception_ptr no_lease(const Operation& operation, const LeaseRef& lease);

  /// `operation` is to run here, on the caller's thread and under no mutex; not again where a calling thread gave up.
  void began(Operation& operation) const {
    if (context_.observer != nullptr && !operation.observed) tell_beginning(operation);
  }
  /// It has come to what it comes to, and its caller has not heard of it; under no mutex. Warns if it waited or ran for
  /// long.
  void ended(Operation& operation) const {
    log_slow(operation);
    if (operation.observed) tell_end(operation);
  }
  void log_long_lease(const Holder& holder) const;

  /// Under the mutex. The slot is in use.
  Holder describe(const Slot& slot, Clock::time_point now) const;
  /// Under the mutex. All that are in use.
  std::vector<Holder> holders(const SlotSet& slots, Clock::time_point now) const;

 private:
  void log_slow(const Operation& operation) const;
  OperationInfo info_of(const Operation& operation) const;
  void tell_beginning(Operation& operation) const;
  void tell_end(Operation& operation) const;
  std::exception_ptr make(boost::system::error_code code, const std::string& text) const;

  const LaneContext& context_;
  const connection_role role_;
};

}  // namespace statehouse::detail
