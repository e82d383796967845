#include "statehouse/detail/statement_verbs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "statehouse/error.hpp"
#include "text/time_text.hpp"

namespace statehouse::detail {

void bind_unsigned(Statement& statement, int index, std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    statement.fail(errc::value_out_of_range,
                   "parameter " + std::to_string(index) + " is above 2^63-1, the largest INTEGER");
  statement.bind_integer(index, static_cast<std::int64_t>(value));
}

void bind_real(Statement& statement, int index, double value) {
  if (std::isnan(value))
    statement.fail(errc::value_out_of_range, "parameter " + std::to_string(index) +
                                                 " is NaN, which SQLite would store as NULL: bind a std::optional");
  statement.bind_real(index, value);
}

void bind_time(Statement& statement, int index, std::int64_t ticks, std::int64_t numerator, std::int64_t denominator) {
  const auto parts = split_ticks(ticks, numerator, denominator);
  if (!parts)
    statement.fail(errc::value_out_of_range,
                   "parameter " + std::to_string(index) + " is a time outside the years 0000 to 9999");
  const std::string text = format_time(parts->first, parts->second);
  statement.bind_text(index, text, bound_memory::copied);
}

void fail_unfit_parameter(Statement& statement, int index, const UnfitValue& why) {
  statement.fail(why.code(), "parameter " + std::to_string(index) + ' ' + why.what());
}

void check_parameter_count(Statement& statement, int given) {
  const int wanted = statement.parameter_count();
  if (wanted != given)
    statement.fail(errc::parameter_count, "the statement has " + std::to_string(wanted) + " parameters, but " +
                                              std::to_string(given) + " values were given");
}

void fail_at_row(const Error& error, std::size_t row) {
  throw Error(error.code(), "rows[" + std::to_string(row) + "]: " + error.message(), {error.database(), error.sql()});
}

NamedParameters::NamedParameters(Statement& statement) : statement_(statement) {
  for (int index = 1; index <= statement.parameter_count(); ++index) open_.push_back(statement.parameter_name(index));
}

int NamedParameters::take(std::string_view name) {
  const auto found = std::ranges::find(open_, name);
  if (!name.empty() && found != open_.end()) {
    found->clear();
    return static_cast<int>(found - open_.begin()) + 1;
  }
  std::string names;
  for (int index = 1; index <= statement_.parameter_count(); ++index) {
    const std::string each = statement_.parameter_name(index);
    if (each == name && !name.empty())
      statement_.fail(errc::parameter_name, "two values are given for the parameter '" + each + '\'');
    names += (names.empty() ? "" : ", ") + (each.empty() ? "?" : each);
  }
  statement_.fail(errc::parameter_name, "the statement has no parameter '" + std::string(name) + "': it has " +
                                            (names.empty() ? "none" : names));
}

void NamedParameters::check_none_left() const {
  for (int index = 1; index <= statement_.parameter_count(); ++index) {
    const std::string name = statement_.parameter_name(index);
    if (name.empty())
      statement_.fail(errc::parameter_name,
                      "parameter " + std::to_string(index) + " has no name: give it one, or all values in order");
    if (!open_[static_cast<std::size_t>(index) - 1].empty())
      statement_.fail(errc::parameter_name, "no value is given for the parameter '" + name + '\'');
  }
}

}  // namespace statehouse::detail
