#include "value.hpp"

#include <algorithm>

namespace statehouse::queries {
namespace {

constexpr Classes numbers = class_integer | class_real;

const Column* common(const Value& one, const Value& other) {
  if ((one.classes & any_value) == 0) return other.column;
  if ((other.classes & any_value) == 0) return one.column;
  const bool same = one.column != nullptr && other.column != nullptr && one.column->type.cpp == other.column->type.cpp;
  return same ? one.column : nullptr;
}

/// Shared by all copies of a value, so it is made anew when it grows.
bool join_records(Value& into, const std::vector<Value>& other) {
  std::vector<Value> fields = into.fields();
  bool grown = other.size() > fields.size();
  fields.resize(std::max(fields.size(), other.size()));
  for (std::size_t i = 0; i < other.size(); ++i) grown = join(fields[i], other[i]) || grown;
  if (grown) into.record = std::make_shared<const std::vector<Value>>(std::move(fields));
  return grown;
}

bool join(Cursor& into, const Cursor& other) {
  const Cursor before = into;
  if (into.kind != other.kind || into.where != other.where) into.kind = cursor_kind::unknown;
  into.positioned = into.positioned || other.positioned;
  into.on_null_row = into.on_null_row || other.on_null_row;
  return !(into == before);
}

}  // namespace

Value value_of(Classes classes) {
  Value value;
  value.classes = classes;
  return value;
}

Value value_of(const Column& column) {
  Value value = value_of(column.type.classes | (column.nullable ? class_null : 0));
  value.column = &column;
  return value;
}

const std::vector<Value>& Value::fields() const {
  static const std::vector<Value> none;
  return record ? *record : none;
}

Value record_of(std::vector<Value> fields) {
  Value value = value_of(class_blob);
  value.record = std::make_shared<const std::vector<Value>>(std::move(fields));
  return value;
}

bool join(Value& into, const Value& other) {
  if (other.classes == 0) return false;
  if (into.classes == 0) {
    into = other;
    return true;
  }
  bool grown =
      (into.classes | other.classes) != into.classes || (into.parameters | other.parameters) != into.parameters;
  const Column* const column = common(into, other);
  grown = grown || column != into.column;
  into.column = column;
  into.classes |= other.classes;
  into.parameters |= other.parameters;
  if (into.constant && into.constant != other.constant) {
    into.constant.reset();
    grown = true;
  }
  if (other.record != nullptr && other.record != into.record) grown = join_records(into, *other.record) || grown;
  return grown;
}

Classes with_affinity(char affinity, Classes classes) {
  Classes result = classes;
  switch (affinity) {
    case 'B':
      if ((classes & numbers) != 0) result = (classes & ~numbers) | class_text;
      break;
    case 'C':
    case 'D':
      if ((classes & class_text) != 0) result |= numbers;
      break;
    case 'E':
      if ((classes & class_text) != 0) result |= class_real;
      if ((classes & class_integer) != 0) result = (result & ~class_integer) | class_real;
      break;
    default: break;
  }
  return result;
}

Value& State::at(int index) {
  const auto place = static_cast<std::size_t>(std::max(index, 0));
  if (registers.size() <= place) registers.resize(place + 1);
  return registers[place];
}

bool join(State& into, const State& other) {
  bool grown = false;
  if (other.registers.size() > into.registers.size()) into.registers.resize(other.registers.size());
  for (std::size_t i = 0; i < other.registers.size(); ++i) grown = join(into.registers[i], other.registers[i]) || grown;
  for (const auto& [number, cursor] : other.cursors) {
    const auto [place, added] = into.cursors.emplace(number, cursor);
    grown = added || join(place->second, cursor) || grown;
  }
  return grown;
}

}  // namespace statehouse::queries
