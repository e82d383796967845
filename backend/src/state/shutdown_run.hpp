#pragma once

#include <boost/intrusive/list.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "state/database.hpp"

namespace statehouse::detail {

/// A caller of shutdown. Not cancellable.
class ShutdownWaiter final : public Suspension, public boost::intrusive::list_base_hook<> {
  void on_cancel(asio::cancellation_type) noexcept override {}
};

/// The one shutdown of a registry, whoever asks for it: tells every database to close, interrupts what is left after
/// the grace time, and lets its callers go when all is closed or the deadline has passed.
class ShutdownRun : public std::enable_shared_from_this<ShutdownRun> {
 public:
  ShutdownRun(std::shared_ptr<Clock> clock, std::vector<std::shared_ptr<Database>> databases)
      : clock_(std::move(clock)), databases_(std::move(databases)) {}

  /// First, and once: nothing is opened any more. Nobody is told yet.
  void refuse();
  /// One more caller: the earliest grace and the earliest deadline hold.
  void limit(ShutdownOptions options);
  /// After `refuse`, once: tells everybody.
  void close();
  /// Does what is due, and arms the timer for what comes next.
  void proceed();

  void wait(ShutdownWaiter& waiter);
  ShutdownReport report() const;
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
  boost::intrusive::list<ShutdownWaiter> waiters_;
};

}  // namespace statehouse::detail
