#pragma once

#include "lane/lane_context.hpp"

namespace statehouse::detail {

/// Calls back when the first of many waits is over. Under the lane's mutex, but for the callback.
class WaitTimer {
 public:
  /// `over` is called on the clock's thread while the context's owner is alive.
  WaitTimer(const LaneContext& context, std::function<void()> over) : context_(context), over_(std::move(over)) {}

  void arm(Clock::time_point when) {
    if (when >= armed_) return;
    armed_ = when;
    if (timer_ == nullptr)
      timer_ = context_.clock->make_timer([weak = context_.owner, over = over_] {
        if (const auto owner = weak.lock()) over();
      });
    timer_->arm(when);
  }
  /// It has called back, and is armed for `next` if that ever comes.
  void arm_again(Clock::time_point next) {
    armed_ = Clock::time_point::max();
    arm(next);
  }
  void disarm() noexcept {
    if (timer_ != nullptr) timer_->disarm();
  }

 private:
  const LaneContext& context_;
  const std::function<void()> over_;
  Clock::time_point armed_ = Clock::time_point::max();
  std::unique_ptr<Clock::Timer> timer_;
};

}  // namespace statehouse::detail
