#include <algorithm>
#include <charconv>

#include "machine.hpp"
#include "sql_functions.hpp"

/// The instructions that put values into registers and compute with them.
namespace statehouse::queries {
namespace {

bool put(Step& step, int index, Value value) {
  step.state.at(index) = std::move(value);
  step.go_on();
  return true;
}

Classes null_of(const Value& value) {
  return value.nullable() || value.classes == 0 ? class_null : 0;
}

bool put_integer(Step& step) {
  Value value = value_of(class_integer);
  value.constant = step.op.p1;
  return put(step, step.op.p2, std::move(value));
}

bool put_large_integer(Step& step) {
  return put(step, step.op.p2, value_of(class_integer));
}

bool put_real(Step& step) {
  return put(step, step.op.p2, value_of(class_real));
}

bool put_text(Step& step) {
  return put(step, step.op.p2, value_of(class_text));
}

bool put_blob(Step& step) {
  return put(step, step.op.p2, value_of(class_blob));
}

bool put_null(Step& step) {
  for (int i = step.op.p2; i <= std::max(step.op.p2, step.op.p3); ++i) step.state.at(i) = value_of(class_null);
  return pass(step);
}

bool put_null_first(Step& step) {
  return put(step, step.op.p1, value_of(class_null));
}

bool put_parameter(Step& step) {
  Value value = value_of(anything);
  if (step.op.p1 >= 1 && step.op.p1 <= 64) value.parameters = std::uint64_t{1} << (step.op.p1 - 1);
  return put(step, step.op.p2, std::move(value));
}

bool copy_some(Step& step, int count) {
  for (int i = 0; i < count; ++i) {
    const Value value = step.state.at(step.op.p1 + i);
    step.state.at(step.op.p2 + i) = value;
  }
  return pass(step);
}

bool copy_one(Step& step) {
  return copy_some(step, 1);
}

bool copy(Step& step) {
  return copy_some(step, step.op.p3 + 1);
}

bool move_some(Step& step) {
  return copy_some(step, std::max(step.op.p3, 1));
}

/// min() and max() set it where the columns beside them are to stay as they are: loaded by an earlier row.
bool clear_flag(Step& step) {
  if (step.op.p1 == 0) return pass(step);
  Value value = value_of(class_integer);
  value.constant = 0;
  return put(step, step.op.p1, std::move(value));
}

bool add_number(Step& step) {
  step.p1().constant.reset();
  step.p1().classes = class_integer;
  return pass(step);
}

bool arithmetic(Step& step) {
  const Value right = step.p1();
  const Value left = step.p2();
  const Classes both = left.classes | right.classes;
  const bool integers = (both & any_value) == class_integer;
  const bool divides = step.op.code == "Divide" || step.op.code == "Remainder";
  const bool by_zero = divides && (!right.constant || *right.constant == 0);
  const bool has_real = left.classes == class_real || right.classes == class_real;
  Classes result = integers ? class_integer : has_real ? class_real : class_integer | class_real;
  result |= null_of(left) | null_of(right) | (by_zero ? class_null : 0);
  return put(step, step.op.p3, value_of(result));
}

bool two_into_integer(Step& step) {
  return put(step, step.op.p3, value_of(class_integer | null_of(step.p1()) | null_of(step.p2())));
}

bool one_into_integer(Step& step) {
  return put(step, step.op.p2, value_of(class_integer | null_of(step.p1())));
}

bool into_integer(Step& step) {
  return put(step, step.op.p2, value_of(class_integer));
}

bool zero_or_null(Step& step) {
  return put(step, step.op.p2, value_of(class_integer | null_of(step.p1()) | null_of(step.p3())));
}

bool concatenate(Step& step) {
  return put(step, step.op.p3, value_of(class_text | null_of(step.p1()) | null_of(step.p2())));
}

bool cast(Step& step) {
  static const std::map<int, Classes> classes{
      {'A', class_blob}, {'B', class_text}, {'C', class_integer | class_real}, {'D', class_integer}, {'E', class_real}};
  const auto found = classes.find(step.op.p2);
  if (found == classes.end()) return false;
  return put(step, step.op.p1, value_of(found->second | null_of(step.p1())));
}

bool apply_affinities(Step& step) {
  for (int i = 0; i < step.op.p2; ++i) {
    Value& value = step.state.at(step.op.p1 + i);
    if (static_cast<std::size_t>(i) < step.op.p4.size())
      value.classes = with_affinity(step.op.p4[static_cast<std::size_t>(i)], value.classes);
  }
  return pass(step);
}

bool into_real(Step& step) {
  Value& value = step.p1();
  if ((value.classes & class_integer) != 0) value.classes = (value.classes & ~class_integer) | class_real;
  return pass(step);
}

/// "length(1)": its name, and how many it takes; -1 where they may be any number.
struct CalledFunction {
  std::string name;
  int arguments = -1;
};

CalledFunction called(const Operation& op) {
  const std::size_t bracket = op.p4.find('(');
  CalledFunction function{op.p4.substr(0, bracket), -1};
  if (bracket != std::string::npos)
    std::from_chars(op.p4.data() + bracket + 1, op.p4.data() + op.p4.size(), function.arguments);
  return function;
}

bool call_function(Step& step) {
  const CalledFunction function = called(step.op);
  std::vector<Value> arguments;
  arguments.reserve(static_cast<std::size_t>(std::max(function.arguments, 0)));
  for (int i = 0; i < function.arguments; ++i) arguments.push_back(step.state.at(step.op.p2 + i));
  return put(step, step.op.p3, result_of_function(function.name, function.arguments, arguments));
}

/// What min(), max() and sum() give depends on what they saw; what all others give their name tells.
bool aggregate(Step& step) {
  const std::string name = called(step.op).name;
  if (name == "min" || name == "max" || name == "sum") {
    Value seen = step.p3();
    join(seen, step.p2());
    seen.parameters = 0;
    step.p3() = std::move(seen);
  }
  return pass(step);
}

bool finish_aggregate(Step& step) {
  return put(step, step.op.p1, result_of_aggregate(called(step.op).name, step.p1()));
}

bool value_of_aggregate(Step& step) {
  return put(step, step.op.p3, result_of_aggregate(called(step.op).name, step.p1()));
}

const InstructionTable& putting() {
  static const InstructionTable table{
      {"Integer", put_integer},
      {"Int64", put_large_integer},
      {"Real", put_real},
      {"String8", put_text},
      {"String", put_text},
      {"Blob", put_blob},
      {"Null", put_null},
      {"SoftNull", put_null_first},
      {"BeginSubrtn", put_null},
      {"Variable", put_parameter},
      {"Move", move_some},
      {"Copy", copy},
      {"SCopy", copy_one},
      {"IntCopy", copy_one},
      {"AddImm", add_number},
      {"RealAffinity", into_real},
      {"Affinity", apply_affinities},
      {"Cast", cast},
      {"Function", call_function},
      {"PureFunc", call_function},
      {"AggStep", aggregate},
      {"AggStep1", aggregate},
      {"AggInverse", aggregate},
      {"AggFinal", finish_aggregate},
      {"AggValue", value_of_aggregate},
      {"OffsetLimit", into_integer},
      {"ReadCookie", into_integer},
  };
  return table;
}

const InstructionTable& computing() {
  static const InstructionTable table{
      {"Add", arithmetic},
      {"Subtract", arithmetic},
      {"Multiply", arithmetic},
      {"Divide", arithmetic},
      {"Remainder", arithmetic},
      {"Concat", concatenate},
      {"BitAnd", two_into_integer},
      {"BitOr", two_into_integer},
      {"ShiftLeft", two_into_integer},
      {"ShiftRight", two_into_integer},
      {"And", two_into_integer},
      {"Or", two_into_integer},
      {"BitNot", one_into_integer},
      {"Not", one_into_integer},
      {"IsTrue", into_integer},
      {"ZeroOrNull", zero_or_null},
      {"Abortable", pass},
      {"ClrSubtype", pass},
      {"CollSeq", clear_flag},
      {"Compare", pass},
      {"Expire", pass},
      {"Explain", pass},
      {"FkCheck", pass},
      {"FkCounter", pass},
      {"MemMax", pass},
      {"Noop", pass},
      {"Permutation", pass},
      {"ReleaseReg", pass},
      {"ResetCount", pass},
      {"SetSubtype", pass},
      {"TableLock", pass},
      {"Trace", pass},
      {"Transaction", pass},
      {"TypeCheck", pass},
      {"VBegin", pass},
  };
  return table;
}

}  // namespace

Instruction value_instruction(const std::string& code) {
  for (const InstructionTable* const table : {&putting(), &computing()})
    if (const auto found = table->find(code); found != table->end()) return found->second;
  return nullptr;
}

}  // namespace statehouse::queries
