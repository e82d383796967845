#include "text/utc_stamp.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace statehouse::detail {
namespace {

namespace chrono = std::chrono;

std::optional<int> decimal(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && text.front() != '-' ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string utc_stamp(UtcTime time) {
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d%02u%02uT%02d%02d%02d.%03dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<UtcTime> parse_utc_stamp(std::string_view text) {
  if (text.size() != utc_stamp_length || text[8] != 'T' || text[15] != '.' || text[19] != 'Z') return std::nullopt;
  const auto year = decimal(text.substr(0, 4));
  const auto month = decimal(text.substr(4, 2));
  const auto day = decimal(text.substr(6, 2));
  const auto hour = decimal(text.substr(9, 2));
  const auto minute = decimal(text.substr(11, 2));
  const auto second = decimal(text.substr(13, 2));
  const auto milli = decimal(text.substr(16, 3));
  if (!year || !month || !day || !hour || !minute || !second || !milli) return std::nullopt;
  const chrono::year_month_day date(chrono::year(*year), chrono::month(static_cast<unsigned>(*month)),
                                    chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return chrono::sys_days(date) + chrono::hours(*hour) + chrono::minutes(*minute) + chrono::seconds(*second) +
         chrono::milliseconds(*milli);
}

}  // namespace statehouse::detail
