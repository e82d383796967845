#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

#include "statehouse/clock.hpp"

struct sqlite3;

namespace statehouse::detail {

enum class stop_reason : unsigned char { none, cancelled, deadline, shutdown };

/// Stops what runs on one connection: a flag and a deadline that SQLite's progress and busy handlers look at, plus
/// sqlite3_interrupt for the moment in between. The flag is what makes a stop reliable: an interrupt alone is forgotten
/// when it comes before the first step, and does not end a busy wait.
///
/// `request` may come from any thread; the rest is called by the thread that runs the connection.
class Interrupter {
 public:
  explicit Interrupter(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  void attach(sqlite3* db) noexcept;
  void detach() noexcept { attach(nullptr); }

  /// A job begins: forgets earlier requests, so that a late one never hits the next job.
  void arm(Clock::time_point deadline) noexcept;
  void disarm() noexcept { arm(Clock::time_point::max()); }

  void request(stop_reason reason) noexcept;

  /// Why the running job has to stop, if it has to. Always `none` while shielded.
  stop_reason reason() const noexcept;
  bool must_stop() const noexcept { return reason() != stop_reason::none; }
  Clock& clock() const noexcept { return *clock_; }

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
  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;  // orders sqlite3_interrupt against attach and Shield
  sqlite3* db_ = nullptr;
  std::atomic<bool> shielded_{false};
  std::atomic<stop_reason> requested_{stop_reason::none};
  std::atomic<Clock::time_point::rep> deadline_{Clock::time_point::max().time_since_epoch().count()};
};

}  // namespace statehouse::detail
