#pragma once

#include "statehouse/clock.hpp"
#include "statehouse/time_limit.hpp"

namespace statehouse::detail {

/// `now + by`, or the end of time where the clock cannot count that far.
inline Clock::time_point after(Clock::time_point now, TimeLimit by) noexcept {
  const Clock::duration ticks = by;
  return ticks < Clock::time_point::max() - now ? now + ticks : Clock::time_point::max();
}

/// The same for a limit of which zero means none.
inline Clock::time_point deadline(Clock::time_point now, TimeLimit limit) noexcept {
  return limit != TimeLimit() ? after(now, limit) : Clock::time_point::max();
}

/// Whether something took at least as long as the limit, of which zero means none.
inline bool reaches(Clock::duration took, TimeLimit limit) noexcept {
  return limit != TimeLimit() && took >= Clock::duration(limit);
}

}  // namespace statehouse::detail
