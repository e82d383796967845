#include "text/time_text.hpp"

#include <spdlog/fmt/fmt.h>
#include <charconv>
#include <cstdlib>
#include <limits>

namespace statehouse::detail {
namespace {

/// Takes what it recognises off the front of the text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<int> number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  std::optional<std::chrono::nanoseconds> fraction() {
    std::int64_t value = 0;
    int digits = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      if (digits < 9) value = value * 10 + (rest_.front() - '0');
      digits = digits < 9 ? digits + 1 : digits;
      rest_.remove_prefix(1);
    }
    if (digits == 0) return std::nullopt;
    for (; digits < 9; ++digits) value *= 10;
    return std::chrono::nanoseconds(value);
  }

 private:
  std::string_view rest_;
};

std::optional<std::chrono::seconds> parse_offset(Scanner& in) {
  if (in.done() || in.take('Z')) return std::chrono::seconds(0);
  const int sign = in.take('-') ? -1 : in.take('+') ? 1 : 0;
  const auto hours = in.number(2);
  if (sign == 0 || !hours || !in.take(':')) return std::nullopt;
  const auto minutes = in.number(2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return std::chrono::seconds(sign * (*hours * 3600 + *minutes * 60));
}

// 64 bits of nanoseconds end in 2262, and a count of days overflows in seconds: only here is there room for all.
__extension__ using Wide = __int128;
constexpr std::int64_t nanos_per_second = 1'000'000'000;

/// What SQLite's date functions know, and `format_time` writes.
constexpr bool has_four_digits(Wide seconds) {
  constexpr std::chrono::sys_days first = std::chrono::year(0) / 1 / 1;
  constexpr std::chrono::sys_days beyond = std::chrono::year(10000) / 1 / 1;
  return seconds >= std::chrono::sys_seconds(first).time_since_epoch().count() &&
         seconds < std::chrono::sys_seconds(beyond).time_since_epoch().count();
}

constexpr Wide floor_divide(Wide value, Wide by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

}  // namespace

std::string format_time(std::chrono::sys_seconds seconds, std::chrono::nanoseconds fraction) {
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(seconds - day);
  const auto nanos = fraction.count();
  std::string digits;
  if (nanos == 0) {
  } else if (nanos % 1'000'000 == 0) {
    digits = fmt::format(".{:03}", nanos / 1'000'000);
  } else if (nanos % 1'000 == 0) {
    digits = fmt::format(".{:06}", nanos / 1'000);
  } else {
    digits = fmt::format(".{:09}", nanos);
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}+00:00", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), digits);
}

std::optional<TimeParts> parse_time(std::string_view text) {
  Scanner in(text);
  const auto year = in.number(4);
  if (!year || !in.take('-')) return std::nullopt;
  const auto month = in.number(2);
  if (!month || !in.take('-')) return std::nullopt;
  const auto day = in.number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  std::chrono::sys_seconds seconds = std::chrono::sys_days(date);
  std::chrono::nanoseconds fraction{0};
  if (in.done()) return TimeParts(seconds, fraction);

  if (!in.take('T') && !in.take(' ')) return std::nullopt;
  const auto hour = in.number(2);
  if (!hour || !in.take(':')) return std::nullopt;
  const auto minute = in.number(2);
  if (!minute) return std::nullopt;
  int second = 0;
  if (in.take(':')) {
    const auto value = in.number(2);
    if (!value) return std::nullopt;
    second = *value;
    if (in.take('.')) {
      const auto digits = in.fraction();
      if (!digits) return std::nullopt;
      fraction = *digits;
    }
  }
  const auto offset = parse_offset(in);
  if (!offset || !in.done() || *hour > 23 || *minute > 59 || second > 59) return std::nullopt;
  seconds += std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(second) - *offset;
  if (!has_four_digits(seconds.time_since_epoch().count())) return std::nullopt;
  return TimeParts(seconds, fraction);
}

std::optional<TimeParts> split_ticks(std::int64_t ticks, std::int64_t numerator, std::int64_t denominator) {
  const Wide nanos = floor_divide(Wide(ticks) * numerator * nanos_per_second, denominator);
  const Wide seconds = floor_divide(nanos, nanos_per_second);
  if (!has_four_digits(seconds)) return std::nullopt;
  return TimeParts(std::chrono::seconds(static_cast<std::int64_t>(seconds)),
                   std::chrono::nanoseconds(static_cast<std::int64_t>(nanos - seconds * nanos_per_second)));
}

std::optional<std::int64_t> count_ticks(const TimeParts& parts, std::int64_t numerator, std::int64_t denominator) {
  const Wide nanos = Wide(parts.first.time_since_epoch().count()) * nanos_per_second + parts.second.count();
  const Wide ticks = floor_divide(nanos * denominator, Wide(numerator) * nanos_per_second);
  if (ticks < std::numeric_limits<std::int64_t>::min() || ticks > std::numeric_limits<std::int64_t>::max())
    return std::nullopt;
  return static_cast<std::int64_t>(ticks);
}

}  // namespace statehouse::detail
