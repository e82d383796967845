#pragma once

#include <boost/intrusive/list.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "state/database.hpp"

namespace statehouse::detail {

/// Who waits for it. Not cancellable.
class ClosingWaiter final : public Suspension, public boost::intrusive::list_base_hook<> {
  void on_cancel(asio::cancellation_type) noexcept override {}
};

/// Has databases closed, all of a registry at its one shutdown or one of them: tells every one, interrupts what is left
/// after the grace time, and lets its callers go when all is closed or the deadline has passed.
class ClosingRun : public std::enable_shared_from_this<ClosingRun> {
 public:
  ClosingRun(std::shared_ptr<Clock> clock, std::vector<std::shared_ptr<Database>> databases)
      : clock_(std::move(clock)), databases_(std::move(databases)) {}

  /// First, and once: nothing is opened any more. Nobody is told yet. Only the last is removed, where that is why: the
  /// others came before it.
  void refuse(ending why);
  /// One more caller: the earliest grace and the earliest deadline hold.
  void limit(ShutdownOptions options);
  /// After `refuse`, once: tells everybody.
  void close();
  /// Does what is due, and arms the timer for what comes next.
  void proceed();

  void wait(ClosingWaiter& waiter);
  ShutdownReport report() const;
  /// Of one that has a database removed: see Database.
  bool take_removed() const { return databases_.back()->take_removed(); }
  /// For a destructor: closes on this thread, waits at most `limit` of real time for what runs; false when something
  /// still does.
  bool close_now(Clock::duration limit);

 private:
  void on_gone();

  const std::shared_ptr<Clock> clock_;
  const std::vector<std::shared_ptr<Database>> databases_;  // by name

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;  // databases that are not closed
  bool told_ = false;     // all of them: only then may they be interrupted
  Clock::time_point grace_ends_ = Clock::time_point::max();
  Clock::time_point deadline_ = Clock::time_point::max();
  std::unique_ptr<Clock::Timer> timer_;
  boost::intrusive::list<ClosingWaiter> waiters_;
};

}  // namespace statehouse::detail
