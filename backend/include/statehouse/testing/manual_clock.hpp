#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "statehouse/clock.hpp"

namespace statehouse::testing {

/// Time that passes only when the test says so, for `AppStateOptions::clock`: no test waits for a timeout.
///
/// Thread-safety: all functions from any thread. Lifetime: made by `std::make_shared`, as timers keep it.
class ManualClock final : public Clock, public std::enable_shared_from_this<ManualClock> {
 public:
  /// The same until somebody advances it.
  time_point now() const noexcept override {
    std::function<void(int)> hook;
    int reading = 0;
    {
      std::lock_guard lock(mutex_);
      hook = hook_;
      reading = ++readings_;
    }
    if (hook) hook(reading);
    std::lock_guard lock(mutex_);
    return now_;
  }

  /// One that calls back on the thread that advances.
  std::unique_ptr<Timer> make_timer(std::function<void()> callback) override {
    return std::make_unique<ManualTimer>(shared_from_this(), std::move(callback));
  }

  /// Has every `now()` call `hook` with the number of readings since. The library reads the clock wherever it decides
  /// whether to go on waiting, so this is where a test lets something happen at exactly that moment.
  void on_read(std::function<void(int)> hook) {
    std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
    readings_ = 0;
  }

  /// Lets time pass; timers that are due by then call back meanwhile, earliest first.
  void advance(duration by) {
    std::unique_lock lock(mutex_);
    const time_point until = now_ + by;
    while (!due_.empty() && due_.begin()->first.first <= until) {
      const auto [when, id] = *due_.begin();
      due_.erase(due_.begin());
      now_ = std::max(now_, when.first);
      const auto callback = callbacks_.at(id);
      lock.unlock();
      (*callback)();
      lock.lock();
    }
    now_ = std::max(now_, until);
  }

  /// How many timers wait.
  std::size_t armed() const {
    std::lock_guard lock(mutex_);
    return due_.size();
  }

 private:
  using Due = std::pair<time_point, std::uint64_t>;  // of equal times the one that was armed first

  class ManualTimer final : public Timer {
   public:
    ManualTimer(std::shared_ptr<ManualClock> clock, std::function<void()> callback) : clock_(std::move(clock)) {
      std::lock_guard lock(clock_->mutex_);
      clock_->callbacks_.emplace(this, std::make_shared<std::function<void()>>(std::move(callback)));
    }
    ~ManualTimer() override {
      ManualTimer::disarm();
      std::lock_guard lock(clock_->mutex_);
      clock_->callbacks_.erase(this);
    }
    void arm(time_point when) override {
      std::lock_guard lock(clock_->mutex_);
      erase();
      due_ = {when, ++clock_->armings_};
      clock_->due_.emplace(due_, this);
    }
    void disarm() noexcept override {
      std::lock_guard lock(clock_->mutex_);
      erase();
    }

   private:
    void erase() noexcept {
      const auto found = clock_->due_.find(due_);
      if (found != clock_->due_.end() && found->second == this) clock_->due_.erase(found);
    }

    const std::shared_ptr<ManualClock> clock_;
    Due due_{};  // as it was armed last
  };

  mutable std::mutex mutex_;
  mutable int readings_ = 0;
  std::function<void(int)> hook_;
  time_point now_{std::chrono::hours(1)};
  std::uint64_t armings_ = 0;
  std::map<Due, const Timer*> due_;
  std::map<const Timer*, std::shared_ptr<std::function<void()>>> callbacks_;
};

}  // namespace statehouse::testing
