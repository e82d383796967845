#pragma once

#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <utility>

#pragma GCC visibility push(default)
namespace statehouse {

/// How long something may take, in whole milliseconds: what every option and argument that limits a time is. It is made
/// from whatever `std::chrono::milliseconds` is made from without a cast, and gives itself to whatever takes
/// milliseconds without one, a clock's ticks for instance.
///
/// The one place where times of different units meet, because there std::chrono overflows silently: what is too long to
/// count is the longest that can be counted, in both directions. So `hours::max()` is as good as for ever. A negative
/// limit is one that is over already.
class TimeLimit {
 public:
  /// Zero, which means no limit where the option does not say otherwise.
  constexpr TimeLimit() noexcept = default;
  /// So many milliseconds.
  explicit constexpr TimeLimit(std::int64_t milliseconds) noexcept : milliseconds_(milliseconds) {}
  /// The same time, or the longest there is.
  template <std::integral Rep, class Period>
  requires(sizeof(Rep) <= sizeof(std::int64_t)) &&
      std::convertible_to<std::chrono::duration<Rep, Period>, std::chrono::milliseconds>
      // NOLINTNEXTLINE(google-explicit-constructor): options read `{.timeout = 500ms}`
      constexpr TimeLimit(std::chrono::duration<Rep, Period> time) noexcept
      : milliseconds_(multiply<std::int64_t>(time.count(), std::ratio_divide<Period, std::milli>::num)) {}
  /// The same time, or the longest there is.
  template <std::integral Rep, class Period>
  requires(sizeof(Rep) <= sizeof(std::int64_t)) &&
      std::convertible_to<std::chrono::milliseconds, std::chrono::duration<Rep, Period>>
      // NOLINTNEXTLINE(google-explicit-constructor): as one duration converts to another
      constexpr operator std::chrono::duration<Rep, Period>() const noexcept {
    return std::chrono::duration<Rep, Period>(multiply<Rep>(milliseconds_, std::ratio_divide<std::milli, Period>::num));
  }

  /// Milliseconds.
  constexpr std::int64_t count() const noexcept { return milliseconds_; }

  /// By length.
  friend constexpr auto operator<=>(TimeLimit, TimeLimit) noexcept = default;
  /// What is left of `limit`, or the longest there is.
  friend constexpr std::chrono::milliseconds operator-(TimeLimit limit, TimeLimit spent) noexcept {
    std::int64_t left = 0;
    if (!__builtin_sub_overflow(limit.milliseconds_, spent.milliseconds_, &left))
      return std::chrono::milliseconds(left);
    return spent.milliseconds_ < 0 ? std::chrono::milliseconds::max() : std::chrono::milliseconds::min();
  }

 private:
  template <class To, class From>
  static constexpr To multiply(From count, std::intmax_t factor) noexcept {
    constexpr auto most = std::numeric_limits<To>::max();
    constexpr auto least = std::numeric_limits<To>::min();
    To result = 0;
    if (!__builtin_mul_overflow(count, factor, &result)) return result;
    return std::cmp_less(count, 0) ? least : most;
  }

  std::int64_t milliseconds_ = 0;
};

}  // namespace statehouse
#pragma GCC visibility pop
