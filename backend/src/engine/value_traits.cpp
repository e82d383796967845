#include "statehouse/value_traits.hpp"

#include <limits>

#include "statehouse/error.hpp"
#include "text/time_text.hpp"
#include "text/unicode.hpp"

namespace statehouse {

UnfitValue::UnfitValue(const std::string& why) : UnfitValue(why, errc::value_out_of_range) {}
UnfitValue::UnfitValue(const std::string& why, errc code) : runtime_error(why), code_(code) {}

namespace detail {
namespace {

__extension__ using Product = __int128;
constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

std::int64_t whole_number(Product dividend, Product divisor, const char* otherwise) {
  const Product result = dividend / divisor;
  if (result * divisor != dividend || result < std::numeric_limits<std::int64_t>::min() ||
      result > std::numeric_limits<std::int64_t>::max())
    throw UnfitValue(otherwise);
  return static_cast<std::int64_t>(result);
}

}  // namespace

// Neither product overflows: a period counts its seconds, or their parts, in 64 bits, and a nanosecond is the smallest.
std::int64_t nanoseconds_of(std::int64_t ticks, std::int64_t numerator, std::int64_t denominator) {
  const Product seconds = Product(ticks) * numerator;
  const char* const otherwise = "is no whole number of nanoseconds within 64 bits";
  if (seconds / denominator > std::numeric_limits<std::int64_t>::max() ||
      seconds / denominator < std::numeric_limits<std::int64_t>::min())
    throw UnfitValue(otherwise);
  return whole_number(seconds * nanoseconds_per_second, denominator, otherwise);
}

std::int64_t ticks_of(std::int64_t nanoseconds, std::int64_t numerator, std::int64_t denominator) {
  return whole_number(Product(nanoseconds) * denominator, Product(numerator) * nanoseconds_per_second,
                      "is no whole number of what the field counts, read as nanoseconds");
}

std::string format_date(std::chrono::year_month_day date) {
  if (!date.ok()) throw UnfitValue("is not a date");
  if (date.year() < std::chrono::year(0) || date.year() > std::chrono::year(9999))
    throw UnfitValue("is a date outside the years 0000 to 9999");
  return format_time(std::chrono::sys_days(date), {}).substr(0, 10);
}

std::chrono::year_month_day parse_date(std::string_view text) {
  const auto parts = text.size() == 10 ? parse_time(text) : std::nullopt;
  if (!parts) throw UnfitValue("is not an ISO 8601 date", errc::column_type);
  return std::chrono::floor<std::chrono::days>(parts->first);
}

void check_size(std::span<const std::byte> blob, std::size_t wanted) {
  if (blob.size() != wanted)
    throw UnfitValue("holds " + std::to_string(blob.size()) + " bytes, the field " + std::to_string(wanted));
}

void fail_count() {
  throw UnfitValue("does not fit the type of the field");
}

bool is_utf8(std::string_view text) noexcept {
  return !find_invalid_utf8(text);
}

}  // namespace detail
}  // namespace statehouse
