#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lane/batch.hpp"
#include "lane/slow_list.hpp"
#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// Connections of one kind and the operations that wait for them, first in, first out. What waits at the same moment
/// and may share a transaction is run as a Batch; nothing waits for one to fill.
///
/// Invariant: while a slot is idle, every operation that has not begun has a scheduled slot on its way. A slot is
/// touched only by the thread that runs it, or under the mutex while nobody does. Handlers are posted, and outside the
/// mutex.
class Lane {
 public:
  using Open = std::function<std::unique_ptr<Connection>(const std::shared_ptr<Interrupter>&)>;

  Lane(PoolCore& pool, connection_role role, Open open);

  /// Opens one more connection; before the lane is published.
  void add(std::unique_ptr<Connection> connection, std::shared_ptr<Interrupter> interrupter);

  void submit(Operation& operation);
  /// Runs a query on the calling thread, on an idle connection that has it prepared. False when that cannot be, or when
  /// it would take long: then nothing has happened.
  bool run_inline(Operation& operation);
  void submit_on_lease(const LeaseRef& lease, Operation& operation);
  void cancel(Operation& operation, asio::cancellation_type type) noexcept;
  void give_back(Slot& slot, std::uint64_t ticket) noexcept;

  /// Until `unpause` nothing more begins, except on a lease. True as soon as nothing runs, false when that takes longer
  /// than `limit`. For one thread at a time.
  bool pause(std::chrono::milliseconds limit);
  void unpause();
  static void refuse(Operation& operation, std::exception_ptr error) noexcept;

  /// Refuses what is queued and what comes, with `error`; parks what is not in use.
  void close(std::exception_ptr error);
  /// After `close`: stops what runs and takes leases back.
  void interrupt() noexcept;
  /// After `close`: true when nobody uses a connection any more.
  bool parked() const;
  /// Closes the connections of parked slots; the last thing that happens to them.
  void close_connections() noexcept;

  /// Logs leases that are held for too long.
  void report_long_leases();
  LaneStats stats() const;
  std::vector<Holder> holders() const;
  std::string last_error() const;

 private:
  static constexpr const char* would_deadlock_text =
      "called inside a closure of this pool: use the connection the closure was given";

  bool admit(Operation& operation);
  Slot* borrow(Operation& operation);
  void schedule(Slot& slot);
  void drain(Slot& slot);
  void run_leased(Slot& slot);
  bool claim(Slot& slot);
  std::size_t share(const Operation& first) const;
  bool unclaim(Slot& slot, std::size_t count);
  bool reclaim(const Slot& taker);
  std::size_t waiting() const noexcept;
  std::exception_ptr make_ready(Slot& slot) noexcept;
  void clean(Slot& slot) noexcept;
  bool finish(Slot& slot, OperationList& done);
  void count_batch(Slot& slot);
  void conclude(Operation& operation);
  void resume(OperationList& done) const;
  Slot* take_idle() noexcept;
  void end_waiting(Operation& operation, OperationList& expired);
  void lease_to(Slot& slot, Operation& operation);
  void hand_over(Slot& slot, Operation& operation, std::unique_lock<std::mutex>& lock);
  void free(Slot& slot, std::unique_lock<std::mutex>& lock);
  void expire();
  void arm_timer(Clock::time_point when);
  void note_error(const Operation& operation);
  void log_slow(const Operation& operation) const;
  std::exception_ptr queue_full_error() const;
  std::exception_ptr timeout_error(const Operation& operation, Clock::time_point now) const;
  Holder describe(const Slot& slot, Clock::time_point now) const;

  PoolCore& pool_;
  const connection_role role_;
  const Open open_;

  mutable std::mutex mutex_;
  std::deque<Slot> slots_;
  std::deque<Slot*> idle_;  // least recently used first: connections are handed out in turn
  OperationList queue_;
  SlowList slow_;
  SlowList heavy_;  // gave up on a calling thread
  std::exception_ptr closed_;
  bool paused_ = false;
  std::condition_variable freed_;  // signalled while paused
  LaneStats stats_;
  std::string last_error_;
  Clock::time_point armed_ = Clock::time_point::max();
  std::unique_ptr<Clock::Timer> timer_;
};

}  // namespace statehouse::detail
