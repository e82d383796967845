// Times: what is read can be written and read again, is what SQLite takes it for, and has a year from 0000 to 9999.

#include "text/time_text.hpp"

#include <sqlite3.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "fuzz.hpp"

using namespace statehouse;
using fuzz::require;

namespace {

constexpr std::chrono::sys_seconds first = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
constexpr std::chrono::sys_seconds beyond = std::chrono::sys_days(std::chrono::year(10000) / 1 / 1);

void check_parts(const detail::TimeParts& parts) {
  const auto& [seconds, fraction] = parts;
  require(seconds >= first && seconds < beyond, "a time lies in the years 0000 to 9999");
  require(fraction.count() >= 0 && fraction < std::chrono::seconds(1), "a fraction is less than a second");
  const std::string text = detail::format_time(seconds, fraction);
  require(detail::parse_time(text) == parts, "what is written is read again as it was", text);
}

/// Seconds since 1970; nothing where SQLite does not understand it. It knows offsets up to 14 hours only.
std::optional<std::int64_t> sqlite_seconds(const std::string& text) {
  static sqlite3_stmt* const statement = [] {
    sqlite3* db = nullptr;
    sqlite3_stmt* made = nullptr;
    sqlite3_open(":memory:", &db);
    sqlite3_prepare_v2(db, "SELECT unixepoch(?)", -1, &made, nullptr);
    return made;
  }();
  sqlite3_bind_text(statement, 1, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  std::optional<std::int64_t> seconds;
  if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
    seconds = sqlite3_column_int64(statement, 0);
  sqlite3_reset(statement);
  return seconds;
}

void check_text(std::string_view text) {
  const auto parts = detail::parse_time(text);
  if (!parts) return;
  check_parts(*parts);
  const auto seconds = sqlite_seconds(std::string(text));
  if (!seconds) return;
  const std::int64_t ours = parts->first.time_since_epoch().count();
  // SQLite rounds to milliseconds.
  const bool rounded_up = parts->second >= std::chrono::microseconds(999'500) && *seconds == ours + 1;
  require(*seconds == ours || rounded_up, "a text is the time that SQLite takes it for", text);
}

void check_ticks(std::int64_t ticks) {
  struct Unit {
    std::int64_t numerator;
    std::int64_t denominator;
  };
  constexpr std::array units{
      Unit{1, 1'000'000'000}, Unit{1, 1'000'000}, Unit{1, 1000},    Unit{1, 1},        Unit{60, 1}, Unit{3600, 1},
      Unit{86400, 1},         Unit{604800, 1},    Unit{2629746, 1}, Unit{31556952, 1}, Unit{1, 30}, Unit{1001, 30000}};
  for (const Unit& unit : units) {
    const auto parts = detail::split_ticks(ticks, unit.numerator, unit.denominator);
    if (!parts) continue;
    check_parts(*parts);
    const auto again = detail::count_ticks(*parts, unit.numerator, unit.denominator);
    const bool exact = 1'000'000'000 % unit.denominator == 0;  // else nanoseconds have cut something off
    require(again && (exact ? *again == ticks : *again <= ticks && *again >= ticks - 1), "ticks survive being split");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_text(fuzz::text_of(data, size));
  std::int64_t ticks = 0;
  std::memcpy(&ticks, data, std::min(size, sizeof ticks));
  check_ticks(ticks);
  return 0;
}
