#include "machine.hpp"

/// The instructions that say where to go on.
namespace statehouse::queries {
namespace {

bool stop(Step&) {
  return true;
}

bool jump(Step& step) {
  step.go(step.op.p2 != 0 ? step.op.p2 : step.address + 1);
  return true;
}

bool may_jump(Step& step) {
  step.may_jump();
  return true;
}

/// Or past the next one.
bool may_jump_or_skip(Step& step) {
  step.go(step.address + 2);
  return may_jump(step);
}

/// To any of the three.
bool jump_by_comparison(Step& step) {
  for (const int to : {step.op.p1, step.op.p2, step.op.p3}) step.go(to);
  return true;
}

void put_number(Value& value, std::optional<std::int64_t> number) {
  value = value_of(class_integer);
  value.constant = number;
}

bool call(Step& step) {
  put_number(step.p1(), step.address);
  step.go(step.op.p2);
  return true;
}

bool come_back(Step& step) {
  if (const auto caller = step.p1().constant) {
    step.p1().constant.reset();  // is used up: kept, it would tell states apart that are not different any more
    step.go(static_cast<int>(*caller) + 1);
    return true;
  }
  if (step.op.p3 == 0) return false;
  step.go_on();  // a subroutine that was entered from above
  return true;
}

bool begin_coroutine(Step& step) {
  put_number(step.p1(), step.op.p3 - 1);
  return jump(step);
}

bool yield(Step& step) {
  const auto left = step.p1().constant;
  if (!left) return false;
  put_number(step.p1(), step.address);
  step.go(static_cast<int>(*left) + 1);
  return true;
}

/// To where the one who waits for it has said.
bool end_coroutine(Step& step) {
  const auto waiting = step.p1().constant;
  if (!waiting) return false;
  const auto caller = static_cast<std::size_t>(*waiting);
  if (caller >= step.machine.program().size()) return false;
  put_number(step.p1(), step.address - 1);
  step.go(step.machine.program()[caller].p2);
  return true;
}

bool jump_if(Step& step, bool wanted) {
  const Value& value = step.p1();
  if (!value.constant || value.nullable()) return may_jump(step);
  step.go((*value.constant != 0) == wanted ? step.op.p2 : step.address + 1);
  return true;
}

bool jump_if_true(Step& step) {
  return jump_if(step, true);
}

bool jump_if_false(Step& step) {
  return jump_if(step, false);
}

bool jump_if_positive(Step& step) {
  const auto number = step.p1().constant;
  if (number && *number <= 0) {
    step.go_on();
    return true;
  }
  if (!number) step.go_on();
  if (step.op.p3 != 0) step.p1().constant.reset();
  step.go(step.op.p2);
  return true;
}

bool count_down(Step& step) {
  step.p1().constant.reset();
  return may_jump(step);
}

/// What was never written may be anything.
Value known(const Value& value) {
  return value.classes == 0 ? value_of(anything) : value;
}

bool jump_if_null(Step& step) {
  Value& value = step.p1();
  const Value before = known(value);
  if ((before.classes & any_value) != 0) {
    value.classes = before.classes & any_value;
    step.go_on();
  }
  if (before.nullable()) {
    value.classes = class_null;
    step.go(step.op.p2);
  }
  return true;
}

bool jump_if_not_null(Step& step) {
  Value& value = step.p1();
  const Value before = known(value);
  if (before.nullable()) {
    value.classes = class_null;
    step.go_on();
  }
  if ((before.classes & any_value) != 0) {
    value.classes = before.classes & any_value;
    step.go(step.op.p2);
  }
  return true;
}

/// The statement fails where it is NULL.
bool halt_if_null(Step& step) {
  step.p3().classes &= any_value;
  step.go_on();
  return true;
}

bool must_be_integer(Step& step) {
  static const Column number{"", "", {"std::int64_t", class_integer}, false};
  Value& value = step.p1();
  step.machine.meet(value.parameters, &number, false);
  if (step.op.p2 != 0) step.go(step.op.p2);
  value.classes = class_integer;
  step.go_on();
  return true;
}

bool compare_and_jump(Step& step) {
  compare(step, step.p1(), step.p3());
  return may_jump(step);
}

bool give_row(Step& step) {
  step.machine.give_row(step.state, step.op.p1, step.op.p2);
  step.go_on();
  return true;
}

}  // namespace

Instruction flow_instruction(const std::string& code) {
  static const InstructionTable instructions{
      {"Halt", stop},
      {"Init", jump},
      {"Goto", jump},
      {"Gosub", call},
      {"Return", come_back},
      {"InitCoroutine", begin_coroutine},
      {"Yield", yield},
      {"EndCoroutine", end_coroutine},
      {"Jump", jump_by_comparison},
      {"If", jump_if_true},
      {"IfNot", jump_if_false},
      {"IfPos", jump_if_positive},
      {"IfNotZero", count_down},
      {"DecrJumpZero", count_down},
      {"IsNull", jump_if_null},
      {"NotNull", jump_if_not_null},
      {"HaltIfNull", halt_if_null},
      {"MustBeInt", must_be_integer},
      {"ResultRow", give_row},
      {"Eq", compare_and_jump},
      {"Ne", compare_and_jump},
      {"Lt", compare_and_jump},
      {"Le", compare_and_jump},
      {"Gt", compare_and_jump},
      {"Ge", compare_and_jump},
      {"ElseEq", may_jump},
      {"Filter", may_jump},
      {"FkIfZero", may_jump},
      {"IfEmpty", may_jump},
      {"IfNoHope", may_jump},
      {"IfNotOpen", may_jump},
      {"IfSizeBetween", may_jump},
      {"IfSmaller", may_jump},
      {"IsNullOrType", may_jump},
      {"IsType", may_jump},
      {"Once", may_jump},
      {"Program", may_jump},
      {"RowSetTest", may_jump},
      {"SeekScan", may_jump_or_skip},
      {"SequenceTest", may_jump},
      {"SorterCompare", may_jump},
  };
  const auto found = instructions.find(code);
  return found == instructions.end() ? nullptr : found->second;
}

}  // namespace statehouse::queries
