#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace statehouse::detail {

using UtcTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// How long each of them is.
inline constexpr std::size_t utc_stamp_length = sizeof("20251201T093000.123Z") - 1;

/// "20251201T093000.123Z": sorts as the times do, and is a part of a file's name. Of the years 0000 to 9999.
std::string utc_stamp(UtcTime time);

/// The reverse; none for all else.
std::optional<UtcTime> parse_utc_stamp(std::string_view text);

}  // namespace statehouse::detail
