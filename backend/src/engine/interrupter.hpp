#pragma once

#include <atomic>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "statehouse/clock.hpp"

namespace statehouse::detail {

enum class stop_reason : unsigned char { none, cancelled, deadline, shutdown };

/// What the caller of an operation that was stopped is told.
boost::system::error_code code_of(stop_reason reason) noexcept;

/// Stops what runs on one connection: a flag and a deadline that the engine looks at while it works, plus a call that
/// wakes it in between. The flag is what makes a stop reliable: sqlite3_interrupt alone is forgotten when it comes
/// before the first step, and does not end a busy wait.
///
/// `request` may come from any thread; the rest is called by the thread that runs the connection.
class Interrupter {
 public:
  explicit Interrupter(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  /// `interrupt` is called from any thread, until `detach` has returned or another takes its place, when what runs has
  /// to stop.
  void attach(const void* connection, std::function<void()> interrupt) noexcept;
  /// Only what that connection has attached.
  void detach(const void* connection) noexcept;

  /// `operation` begins: forgets earlier requests, so that a late one never hits the next one. One for shutdown stays,
  /// as it is meant for all that come.
  void arm(Clock::time_point deadline, const void* operation = nullptr) noexcept;
  /// Nothing runs any more; forgets everything.
  void disarm() noexcept;

  void request(stop_reason reason) noexcept;
  /// Only if `operation` is what runs.
  void request(stop_reason reason, const void* operation) noexcept;

  /// Why the running operation has to stop, if it has to. Always `none` while shielded.
  stop_reason reason() const noexcept;
  bool must_stop() const noexcept { return reason() != stop_reason::none; }
  Clock& clock() const noexcept { return *clock_; }

  /// One more statement is between two of its rows, and others may run meanwhile; or one less. A deadline that passes
  /// wakes nobody then: as long as any statement is open SQLite keeps an interrupt, which would be for a statement that
  /// is over, and end the one that is open.
  void count_open_query(int change) noexcept { open_queries_.fetch_add(change, std::memory_order_relaxed); }
  bool has_open_query() const noexcept { return open_queries_.load(std::memory_order_relaxed) != 0; }
  const std::shared_ptr<Clock>& shared_clock() const noexcept { return clock_; }

  /// While it lives the running operation must also end by `deadline`. Ends even what asks no progress handler:
  /// SQLite 3.40 looks through all pages of a file in one step of its machine.
  class Limit {
   public:
    Limit(std::shared_ptr<Interrupter> interrupter, Clock::time_point deadline);
    ~Limit();
    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;

   private:
    const std::shared_ptr<Interrupter> interrupter_;
    Clock::time_point::rep outer_;
    std::unique_ptr<Clock::Timer> timer_;
  };

  /// COMMIT, ROLLBACK and clean-up run under a shield: they are never interrupted, or the outcome would be unknown.
  class Shield {
   public:
    explicit Shield(Interrupter& interrupter) noexcept;
    ~Shield();
    Shield(const Shield&) = delete;
    Shield& operator=(const Shield&) = delete;

   private:
    Interrupter& interrupter_;
    bool outer_;
  };

 private:
  void set(stop_reason requested, Clock::time_point deadline, const void* operation) noexcept;
  void request_locked(stop_reason reason) noexcept;
  void interrupt_after(Clock::time_point::rep deadline) noexcept;

  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;  // orders interrupt_ against attach, arm and Shield
  std::function<void()> interrupt_;
  const void* connection_ = nullptr;  // that it interrupts
  const void* operation_ = nullptr;
  bool closing_ = false;  // shutdown was requested
  std::atomic<int> open_queries_{0};
  std::atomic<bool> shielded_{false};
  std::atomic<stop_reason> requested_{stop_reason::none};
  std::atomic<Clock::time_point::rep> deadline_{Clock::time_point::max().time_since_epoch().count()};
};

}  // namespace statehouse::detail
