#include "statehouse/bind.hpp"

#include <limits>

#include "statehouse/detail/session.hpp"
#include "text/time_text.hpp"

namespace statehouse::detail {
namespace {

void check(Statement& statement, int result) {
  if (result != SQLITE_OK) statement.session().fail(result, statement.sql());
}

}  // namespace

void bind_null(Statement& statement, int index) {
  check(statement, sqlite3_bind_null(statement.handle(), index));
}

void bind_integer(Statement& statement, int index, std::int64_t value) {
  check(statement, sqlite3_bind_int64(statement.handle(), index, value));
}

void bind_unsigned(Statement& statement, int index, std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    statement.session().fail(errc::value_out_of_range,
                             "parameter " + std::to_string(index) + " is above 2^63-1, the largest INTEGER",
                             statement.sql());
  bind_integer(statement, index, static_cast<std::int64_t>(value));
}

void bind_real(Statement& statement, int index, double value) {
  check(statement, sqlite3_bind_double(statement.handle(), index, value));
}

void bind_text(Statement& statement, int index, std::string_view value) {
  // A null pointer would bind NULL; an empty view may carry one.
  const char* const data = value.data() != nullptr ? value.data() : "";
  check(statement, sqlite3_bind_text64(statement.handle(), index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void bind_blob(Statement& statement, int index, std::span<const std::byte> value) {
  const void* const data = value.data() != nullptr ? static_cast<const void*>(value.data()) : "";
  check(statement, sqlite3_bind_blob64(statement.handle(), index, data, value.size(), SQLITE_STATIC));
}

void bind_time(Statement& statement, int index, std::int64_t ticks, std::int64_t numerator, std::int64_t denominator) {
  const auto parts = split_ticks(ticks, numerator, denominator);
  if (!parts)
    statement.session().fail(errc::value_out_of_range,
                             "parameter " + std::to_string(index) + " is a time outside the years 0000 to 9999",
                             statement.sql());
  const std::string text = format_time(parts->first, parts->second);
  check(statement,
        sqlite3_bind_text64(statement.handle(), index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void check_parameter_count(Statement& statement, int given) {
  const int wanted = sqlite3_bind_parameter_count(statement.handle());
  if (wanted != given)
    statement.session().fail(errc::parameter_count,
                             "the statement has " + std::to_string(wanted) + " parameters, but " +
                                 std::to_string(given) + " values were given",
                             statement.sql());
}

}  // namespace statehouse::detail
