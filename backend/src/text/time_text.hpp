#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace statehouse::detail {

using TimeParts = std::pair<std::chrono::sys_seconds, std::chrono::nanoseconds>;

/// `2024-02-29T12:30:00.250+00:00`: no fraction, or as many of 3, 6, 9 digits as are needed, which is what sqlx writes
/// for a `DateTime<Utc>`.
std::string format_time(std::chrono::sys_seconds seconds, std::chrono::nanoseconds fraction);

/// Reads what SQLite's and sqlx's date functions write: `YYYY-MM-DD`, then optionally ` ` or `T`, `HH:MM[:SS[.f...]]`
/// and `Z` or `+HH:MM`. None for all else, and where the offset leads out of the years 0000 to 9999.
std::optional<TimeParts> parse_time(std::string_view text);

/// Ticks of `numerator / denominator` seconds since 1970, denominator at most 10^9, as seconds and fraction; none
/// outside the years 0000 to 9999.
std::optional<TimeParts> split_ticks(std::int64_t ticks, std::int64_t numerator, std::int64_t denominator);

/// The reverse, rounded down; none if there are too many to count.
std::optional<std::int64_t> count_ticks(const TimeParts& parts, std::int64_t numerator, std::int64_t denominator);

}  // namespace statehouse::detail
