#pragma once

#include <chrono>
#include <functional>
#include <memory>

#pragma GCC visibility push(default)
namespace statehouse {

/// Time as the library sees it. Every timeout, deadline, age and periodic check reads this one clock, so a test that
/// injects its own decides when time passes.
///
/// Thread-safety: all functions may be called from any thread. Lifetime: held by `std::shared_ptr`; it outlives its
/// timers.
class Clock {
 public:
  /// A moment; comparable within one clock.
  using time_point = std::chrono::steady_clock::time_point;
  /// A span of time.
  using duration = std::chrono::steady_clock::duration;

  /// One callback that can be armed again and again. Destroying or disarming does not wait for a callback that already
  /// runs: a callback must hold what it needs by weak reference.
  class Timer {
   public:
    virtual ~Timer() = default;
    /// Calls back once at `when` or soon after, on the clock's thread; replaces an earlier `arm`.
    virtual void arm(time_point when) = 0;
    /// It does not call back, unless it already does.
    virtual void disarm() noexcept = 0;
  };

  virtual ~Clock() = default;
  /// The present moment; never goes back.
  virtual time_point now() const noexcept = 0;
  /// A timer that is not armed. `callback` runs on the clock's thread and must be short. The first one of the steady
  /// clock throws Error in the system category when that thread cannot be started.
  virtual std::unique_ptr<Timer> make_timer(std::function<void()> callback) = 0;
};

/// The real clock: `std::chrono::steady_clock`, with one thread of its own that starts with the first timer.
/// Timeouts therefore fire even while every database thread is busy, and never keep a server's io_context running.
std::shared_ptr<Clock> make_steady_clock();

}  // namespace statehouse
#pragma GCC visibility pop
