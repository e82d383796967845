#pragma once

#include "statehouse/clock.hpp"

namespace statehouse::detail {

/// `now + by`, or the end of time where the clock cannot count that far.
inline Clock::time_point after(Clock::time_point now, std::chrono::milliseconds by) noexcept {
  const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::time_point::max() - now);
  return by < most ? now + by : Clock::time_point::max();
}

/// The same for a limit of which zero means none.
inline Clock::time_point deadline(Clock::time_point now, std::chrono::milliseconds limit) noexcept {
  return limit.count() > 0 ? after(now, limit) : Clock::time_point::max();
}

}  // namespace statehouse::detail
