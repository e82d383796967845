#pragma once

#include <boost/intrusive/list.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "statehouse/detail/operation.hpp"
#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// One connection of a lane and who has it.
///
///     idle -> scheduled -> running -> scheduled ... -> idle      a database thread works through the queue
///     idle/scheduled/running -> leased -> idle | scheduled       a caller holds it
///     any -> parked                                              the lane is closed; never left
struct Slot {
  enum class state : unsigned char { idle, scheduled, running, leased, parked };

  explicit Slot(std::shared_ptr<Interrupter> stop) : interrupter(std::move(stop)) {}

  std::unique_ptr<Connection> connection;  // empty when it could not be opened again
  const std::shared_ptr<Interrupter> interrupter;
  state status = state::idle;
  Operation* current = nullptr;  // what runs, or waits to run on the lease
  std::uint64_t ticket = 0;      // of the present lease
  bool dropped = false;          // the lease ended while its operation was running
  const char* verb = "";
  std::source_location where{};
  Clock::time_point since{};
  bool reported = false;         // as held for long
};

/// Connections of one kind and the operations that wait for them, first in, first out.
///
/// Invariant: while a slot is idle, every queued operation has a scheduled slot on its way. A slot is touched only by
/// the thread that runs it, or under the mutex while nobody does. Handlers are posted, and outside the mutex.
class Lane {
 public:
  using Open = std::function<std::unique_ptr<Connection>(const std::shared_ptr<Interrupter>&)>;

  Lane(PoolCore& pool, connection_role role, Open open);

  /// Opens one more connection; before the lane is published.
  void add(std::unique_ptr<Connection> connection, std::shared_ptr<Interrupter> interrupter);

  void submit(Operation& operation);
  void submit_on_lease(const LeaseRef& lease, Operation& operation);
  void cancel(Operation& operation, asio::cancellation_type type) noexcept;
  void give_back(Slot& slot, std::uint64_t ticket) noexcept;
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
  using Queue = boost::intrusive::list<Operation>;

  bool admit(Operation& operation);
  void schedule(Slot& slot);
  void drain(Slot& slot);
  void run_leased(Slot& slot);
  Operation* next(Slot& slot);
  std::exception_ptr make_ready(Slot& slot) noexcept;
  void clean(Slot& slot) noexcept;
  void begin_run(Slot& slot, Operation& operation);
  Clock::duration end_run(Slot& slot, Operation& operation);
  void finish(Slot& slot, Operation& operation);
  void lease_to(Slot& slot, Operation& operation);
  void hand_over(Slot& slot, Operation& operation, std::unique_lock<std::mutex>& lock);
  void free(Slot& slot, std::unique_lock<std::mutex>& lock);
  void expire();
  void arm_timer(Clock::time_point when);
  void note_error(const Operation& operation);
  void log_slow(const Operation& operation, Clock::duration ran) const;
  std::exception_ptr queue_full_error() const;
  std::exception_ptr timeout_error(const Operation& operation, Clock::time_point now) const;
  Holder describe(const Slot& slot, Clock::time_point now) const;

  PoolCore& pool_;
  const connection_role role_;
  const Open open_;

  mutable std::mutex mutex_;
  std::deque<Slot> slots_;
  std::deque<Slot*> idle_;  // least recently used first: connections are handed out in turn
  Queue queue_;
  std::exception_ptr closed_;
  LaneStats stats_;
  std::string last_error_;
  Clock::time_point armed_ = Clock::time_point::max();
  std::unique_ptr<Clock::Timer> timer_;
};

}  // namespace statehouse::detail
