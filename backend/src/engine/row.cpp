#include "statehouse/row.hpp"

#include "statehouse/error.hpp"
#include "text/time_text.hpp"

namespace statehouse::detail {
namespace {

const char* name_of(storage_class value) noexcept {
  switch (value) {
    case storage_class::integer: return "INTEGER";
    case storage_class::real: return "REAL";
    case storage_class::text: return "TEXT";
    case storage_class::blob: return "BLOB";
    default: return "NULL";
  }
}

std::string describe(Statement& statement, int index) {
  return "column " + std::to_string(index + 1) + " ('" + statement.column_name(index) + "')";
}

[[noreturn]] void fail_type(Statement& statement, int index, storage_class actual, const char* wanted) {
  if (actual == storage_class::null)
    statement.fail(errc::unexpected_null, describe(statement, index) + " is NULL: read it into a std::optional");
  statement.fail(errc::column_type,
                 describe(statement, index) + " holds " + name_of(actual) + ", the field needs " + wanted);
}

}  // namespace

std::int64_t column_integer(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual != storage_class::integer) fail_type(statement, index, actual, "INTEGER");
  return statement.column_integer(index);
}

double column_real(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual != storage_class::real && actual != storage_class::integer) fail_type(statement, index, actual, "REAL");
  return statement.column_real(index);
}

std::string column_text(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual != storage_class::text) fail_type(statement, index, actual, "TEXT");
  return std::string(statement.column_text(index));
}

std::vector<std::byte> column_blob(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual != storage_class::blob) fail_type(statement, index, actual, "BLOB");
  const auto bytes = statement.column_blob(index);
  return {bytes.begin(), bytes.end()};
}

std::int64_t column_time(Statement& statement, int index, std::int64_t numerator, std::int64_t denominator) {
  const storage_class actual = statement.column_class(index);
  const bool text = actual == storage_class::text;
  if (!text && actual != storage_class::integer) fail_type(statement, index, actual, "TEXT or INTEGER (a time)");
  const auto parts = text ? parse_time(statement.column_text(index))
                          : TimeParts(std::chrono::seconds(statement.column_integer(index)), 0);
  if (!parts) statement.fail(errc::column_type, describe(statement, index) + " is not an ISO 8601 date and time");
  const auto ticks = count_ticks(*parts, numerator, denominator);
  if (!ticks) fail_range(statement, index);
  return *ticks;
}

bool column_is_null(Statement& statement, int index) noexcept {
  return statement.column_class(index) == storage_class::null;
}

void fail_range(Statement& statement, int index) {
  statement.fail(errc::value_out_of_range, describe(statement, index) + " does not fit the type of the field");
}

void check_column_count(Statement& statement, std::size_t fields) {
  const auto columns = static_cast<std::size_t>(statement.column_count());
  if (columns != fields)
    statement.fail(errc::column_count, "the row has " + std::to_string(columns) + " columns, the type has " +
                                           std::to_string(fields) + " fields");
}

}  // namespace statehouse::detail
