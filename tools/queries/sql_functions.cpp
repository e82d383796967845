#include "sql_functions.hpp"

#include <algorithm>
#include <map>

namespace statehouse::queries {
namespace {

/// When the result is NULL.
enum class nulls { never, of_argument, possible };

struct Rule {
  Classes classes;
  nulls when;
};

using Rules = std::map<std::string, Rule, std::less<>>;

/// Only what the documentation promises; a function that is not here may give anything.
const Rules& functions() {
  static const Rules rules{
      {"changes", {class_integer, nulls::never}},
      {"last_insert_rowid", {class_integer, nulls::never}},
      {"random", {class_integer, nulls::never}},
      {"total_changes", {class_integer, nulls::never}},
      {"instr", {class_integer, nulls::of_argument}},
      {"length", {class_integer, nulls::of_argument}},
      {"octet_length", {class_integer, nulls::of_argument}},
      {"glob", {class_integer, nulls::of_argument}},
      {"like", {class_integer, nulls::of_argument}},
      {"regexp", {class_integer, nulls::of_argument}},
      {"unicode", {class_integer, nulls::possible}},
      {"unixepoch", {class_integer, nulls::possible}},
      {"json_array_length", {class_integer, nulls::possible}},
      {"json_valid", {class_integer, nulls::of_argument}},
      {"sign", {class_integer, nulls::possible}},
      {"julianday", {class_real, nulls::possible}},
      {"round", {class_real, nulls::of_argument}},
      {"hex", {class_text, nulls::never}},
      {"json_array", {class_text, nulls::never}},
      {"json_object", {class_text, nulls::never}},
      {"quote", {class_text, nulls::never}},
      {"sqlite_version", {class_text, nulls::never}},
      {"typeof", {class_text, nulls::never}},
      {"json", {class_text, nulls::of_argument}},
      {"json_quote", {class_text, nulls::never}},
      {"lower", {class_text, nulls::of_argument}},
      {"ltrim", {class_text, nulls::of_argument}},
      {"replace", {class_text, nulls::of_argument}},
      {"rtrim", {class_text, nulls::of_argument}},
      {"trim", {class_text, nulls::of_argument}},
      {"upper", {class_text, nulls::of_argument}},
      {"date", {class_text, nulls::possible}},
      {"datetime", {class_text, nulls::possible}},
      {"format", {class_text, nulls::possible}},
      {"json_type", {class_text, nulls::possible}},
      {"printf", {class_text, nulls::possible}},
      {"strftime", {class_text, nulls::possible}},
      {"time", {class_text, nulls::possible}},
      {"randomblob", {class_blob, nulls::never}},
      {"zeroblob", {class_blob, nulls::never}},
  };
  return rules;
}

const Rules& aggregates() {
  static const Rules rules{
      {"count", {class_integer, nulls::never}},
      {"dense_rank", {class_integer, nulls::never}},
      {"ntile", {class_integer, nulls::never}},
      {"rank", {class_integer, nulls::never}},
      {"row_number", {class_integer, nulls::never}},
      {"avg", {class_real, nulls::possible}},
      {"cume_dist", {class_real, nulls::never}},
      {"percent_rank", {class_real, nulls::never}},
      {"total", {class_real, nulls::never}},
      {"group_concat", {class_text, nulls::possible}},
      {"json_group_array", {class_text, nulls::never}},
      {"json_group_object", {class_text, nulls::never}},
      {"string_agg", {class_text, nulls::possible}},
  };
  return rules;
}

bool may_be_null(const Value& value) {
  return value.nullable() || value.classes == 0;
}

/// The same as what it is given.
Value numeric_like(const Value& value) {
  const Classes classes = value.classes & (class_integer | class_real);
  return value_of((classes == 0 || classes != (value.classes & any_value) ? class_integer | class_real : classes) |
                  class_null);
}

}  // namespace

Value result_of_function(const std::string& name, int count, const std::vector<Value>& arguments) {
  if (name == "substr" || name == "substring") {
    const bool blob = arguments.empty() || (arguments[0].classes & class_blob) != 0;
    const bool null = arguments.empty() || std::ranges::any_of(arguments, may_be_null);
    return value_of(class_text | (blob ? class_blob : 0) | (null ? class_null : 0));
  }
  if (name == "nullif" && count == 2) {
    Value value = arguments[0].classes == 0 ? value_of(anything) : arguments[0];
    value.classes |= class_null;
    value.parameters = 0;
    value.constant.reset();
    return value;
  }
  if (name == "abs" && count == 1) {
    Value value = numeric_like(arguments[0]);
    if (!may_be_null(arguments[0])) value.classes &= any_value;
    return value;
  }
  const auto found = functions().find(name);
  if (found == functions().end()) return value_of(anything);
  const auto [classes, when] = found->second;
  const bool null = when == nulls::possible ||
                    (when == nulls::of_argument && (count < 0 || std::ranges::any_of(arguments, may_be_null)));
  return value_of(classes | (null ? class_null : 0));
}

Value result_of_aggregate(const std::string& name, const Value& seen) {
  if (name == "min" || name == "max") {
    Value value = seen;
    value.classes |= class_null;
    value.constant.reset();
    return value;
  }
  if (name == "sum") return numeric_like(seen);
  const auto found = aggregates().find(name);
  if (found == aggregates().end()) return value_of(anything);
  return value_of(found->second.classes | (found->second.when == nulls::never ? 0 : class_null));
}

}  // namespace statehouse::queries
