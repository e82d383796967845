#include "statehouse/row.hpp"

#include "statehouse/detail/session.hpp"
#include "text/time_text.hpp"

namespace statehouse::detail {
namespace {

const char* type_name(int type) noexcept {
  switch (type) {
    case SQLITE_INTEGER: return "INTEGER";
    case SQLITE_FLOAT: return "REAL";
    case SQLITE_TEXT: return "TEXT";
    case SQLITE_BLOB: return "BLOB";
    default: return "NULL";
  }
}

std::string describe(Statement& statement, int index) {
  const char* const name = sqlite3_column_name(statement.handle(), index);
  return "column " + std::to_string(index + 1) + " ('" + (name != nullptr ? name : "") + "')";
}

[[noreturn]] void fail_type(Statement& statement, int index, int actual, const char* wanted) {
  if (actual == SQLITE_NULL)
    statement.session().fail(errc::unexpected_null,
                             describe(statement, index) + " is NULL: read it into a std::optional", statement.sql());
  statement.session().fail(errc::column_type,
                           describe(statement, index) + " holds " + type_name(actual) + ", the field needs " + wanted,
                           statement.sql());
}

}  // namespace

std::int64_t column_integer(Statement& statement, int index) {
  const int type = sqlite3_column_type(statement.handle(), index);
  if (type != SQLITE_INTEGER) fail_type(statement, index, type, "INTEGER");
  return sqlite3_column_int64(statement.handle(), index);
}

double column_real(Statement& statement, int index) {
  const int type = sqlite3_column_type(statement.handle(), index);
  if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) fail_type(statement, index, type, "REAL");
  return sqlite3_column_double(statement.handle(), index);
}

std::string column_text(Statement& statement, int index) {
  const int type = sqlite3_column_type(statement.handle(), index);
  if (type != SQLITE_TEXT) fail_type(statement, index, type, "TEXT");
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement.handle(), index));
  if (text == nullptr) statement.session().fail(SQLITE_NOMEM, statement.sql());
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement.handle(), index))};
}

std::vector<std::byte> column_blob(Statement& statement, int index) {
  const int type = sqlite3_column_type(statement.handle(), index);
  if (type != SQLITE_BLOB) fail_type(statement, index, type, "BLOB");
  const auto* const data = static_cast<const std::byte*>(sqlite3_column_blob(statement.handle(), index));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement.handle(), index));
  return size == 0 ? std::vector<std::byte>() : std::vector<std::byte>(data, data + size);
}

std::int64_t column_time(Statement& statement, int index, std::int64_t numerator, std::int64_t denominator) {
  const int type = sqlite3_column_type(statement.handle(), index);
  if (type != SQLITE_INTEGER && type != SQLITE_TEXT) fail_type(statement, index, type, "TEXT or INTEGER (a time)");
  const auto parts = type == SQLITE_TEXT ? parse_time(column_text(statement, index))
                                         : TimeParts(std::chrono::seconds(column_integer(statement, index)), 0);
  if (!parts)
    statement.session().fail(errc::column_type, describe(statement, index) + " is not an ISO 8601 date and time",
                             statement.sql());
  const auto ticks = count_ticks(*parts, numerator, denominator);
  if (!ticks) fail_range(statement, index);
  return *ticks;
}

bool column_is_null(Statement& statement, int index) noexcept {
  return sqlite3_column_type(statement.handle(), index) == SQLITE_NULL;
}

void fail_range(Statement& statement, int index) {
  statement.session().fail(errc::value_out_of_range, describe(statement, index) + " does not fit the type of the field",
                           statement.sql());
}

void check_column_count(Statement& statement, std::size_t fields) {
  const auto columns = static_cast<std::size_t>(sqlite3_column_count(statement.handle()));
  if (columns != fields)
    statement.session().fail(
        errc::column_count,
        "the row has " + std::to_string(columns) + " columns, the type has " + std::to_string(fields) + " fields",
        statement.sql());
}

}  // namespace statehouse::detail
