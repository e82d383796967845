#include "statehouse/by_name.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "statehouse/error.hpp"
#include "text/ascii.hpp"
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

template <class T>
T exact(Statement& statement, int index, std::int64_t value) {
  const auto real = static_cast<T>(value);
  // Rounded up to 2^63 it would not fit back.
  if (real >= T(0x1p63) || static_cast<std::int64_t>(real) != value) fail_range(statement, index);
  return real;
}

template <class T>
T in_range(Statement& statement, int index, double value) {
  if (std::isfinite(value) && std::abs(value) > double(std::numeric_limits<T>::max())) fail_range(statement, index);
  const auto real = static_cast<T>(value);
  if (real == 0 && value != 0) fail_range(statement, index);
  return real;
}

template <class T>
T read_real(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual == storage_class::integer) return exact<T>(statement, index, statement.column_integer(index));
  if (actual != storage_class::real) fail_type(statement, index, actual, "REAL");
  return in_range<T>(statement, index, statement.column_real(index));
}

}  // namespace

std::int64_t column_integer(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual != storage_class::integer) fail_type(statement, index, actual, "INTEGER");
  return statement.column_integer(index);
}

double column_double(Statement& statement, int index) {
  return read_real<double>(statement, index);
}

float column_float(Statement& statement, int index) {
  return read_real<float>(statement, index);
}

std::string column_text(Statement& statement, int index) {
  return std::string(column_view(statement, index));
}

std::string_view column_view(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual != storage_class::text) fail_type(statement, index, actual, "TEXT");
  return statement.column_text(index);
}

std::span<const std::byte> column_blob(Statement& statement, int index) {
  const storage_class actual = statement.column_class(index);
  if (actual != storage_class::blob) fail_type(statement, index, actual, "BLOB");
  return statement.column_blob(index);
}

std::int64_t column_time(Statement& statement, int index, std::int64_t numerator, std::int64_t denominator) {
  const storage_class actual = statement.column_class(index);
  const bool text = actual == storage_class::text;
  if (!text && actual != storage_class::integer) fail_type(statement, index, actual, "TEXT or INTEGER (a time)");
  const auto parts =
      text ? parse_time(statement.column_text(index)) : split_ticks(statement.column_integer(index), 1, 1);
  if (!parts && text)
    statement.fail(errc::column_type, describe(statement, index) + " is not an ISO 8601 date and time");
  if (!parts)
    statement.fail(errc::value_out_of_range, describe(statement, index) +
                                                 " is outside the years 0000 to 9999 as seconds since 1970: are they "
                                                 "milliseconds?");
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

void fail_unfit_column(Statement& statement, int index, const UnfitValue& why) {
  statement.fail(why.code(), describe(statement, index) + ' ' + why.what());
}

void fail_variant(Statement& statement, int index) {
  fail_type(statement, index, statement.column_class(index), "what its std::variant has a type for");
}

void find_columns(Statement& statement, std::span<const std::string_view> fields, std::span<int> columns) {
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(statement.column_count()));
  for (int index = 0; index < statement.column_count(); ++index) names.push_back(statement.column_name(index));
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto is_field = [&](const std::string& name) { return same_ascii(name, fields[i]); };
    const auto found = std::ranges::find_if(names, is_field);
    if (found == names.end())
      statement.fail(errc::column_name, "the row has no column for the field '" + std::string(fields[i]) + "'");
    if (std::ranges::count_if(names, is_field) > 1)
      statement.fail(errc::column_name, "the row has several columns for the field '" + std::string(fields[i]) +
                                            "': name them differently with AS");
    columns[i] = static_cast<int>(found - names.begin());
  }
}

void check_column_count(Statement& statement, std::size_t fields) {
  const auto columns = static_cast<std::size_t>(statement.column_count());
  if (columns != fields)
    statement.fail(errc::column_count, "the row has " + std::to_string(columns) + " columns, the type has " +
                                           std::to_string(fields) + " fields");
}

}  // namespace statehouse::detail
