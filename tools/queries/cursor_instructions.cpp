#include <charconv>

#include "machine.hpp"

/// The instructions that open cursors, move them and look for a row.
namespace statehouse::queries {
namespace {

constexpr int root_page_in_register = 0x10;
constexpr int null_equals_null = 0x80;

int number_of(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool open_stored(Step& step) {
  if ((step.op.p5 & root_page_in_register) != 0 && step.op.code == "OpenWrite") return false;
  Cursor opened;
  if (step.op.p3 == 0) opened = {cursor_kind::stored, step.op.p2};
  step.cursor(step.op.p1) = opened;
  return pass(step);
}

bool open_kept(Step& step) {
  step.cursor(step.op.p1) = {cursor_kind::kept, step.op.p1};
  return pass(step);
}

bool open_again(Step& step) {
  step.cursor(step.op.p1) = step.cursor(step.op.p2);
  return pass(step);
}

bool open_pseudo(Step& step) {
  step.cursor(step.op.p1) = {cursor_kind::pseudo, step.op.p2};
  return pass(step);
}

bool open_unknown(Step& step) {
  step.cursor(step.op.p1) = Cursor();
  return pass(step);
}

bool to_null_row(Step& step) {
  Cursor& moved = step.cursor(step.op.p1);
  if (moved.kind != cursor_kind::pseudo) {  // there it only says that the record is another
    moved.positioned = false;
    moved.on_null_row = true;
  }
  return pass(step);
}

void place(Step& step, int number) {
  step.cursor(number).positioned = true;
  step.cursor(number).on_null_row = false;
}

bool move(Step& step) {
  place(step, step.op.p1);
  step.may_jump();
  return true;
}

bool move_other(Step& step) {
  place(step, step.op.p3);
  return pass(step);
}

/// The values from a register on meet the columns that a cursor looks through.
void look_for(Step& step, int first, int count) {
  const Cursor in = step.cursor(step.op.p1);
  for (int i = 0; i < count; ++i) compare(step, field_of(step, in, i), step.state.at(first + i));
}

bool seek(Step& step) {
  const Cursor in = step.cursor(step.op.p1);
  const Column* const rowid = in.kind == cursor_kind::stored ? step.machine.schema().rowid_at(in.where) : nullptr;
  if (rowid != nullptr) {
    compare(step, value_of(*rowid), step.p3());
  } else {
    look_for(step, step.op.p3, number_of(step.op.p4));
  }
  return true;
}

bool seek_and_move(Step& step) {
  seek(step);
  return move(step);
}

bool seek_and_stay(Step& step) {
  seek(step);
  step.may_jump();
  return true;
}

bool jump_if_null_row(Step& step) {
  const Cursor before = step.cursor(step.op.p1);
  if (before.positioned) {
    place(step, step.op.p1);
    step.go_on();
  }
  if (before.on_null_row) {
    step.cursor(step.op.p1) = {before.kind, before.where, false, true};
    step.p3() = value_of(class_null);
    step.go(step.op.p2);
  }
  return true;
}

bool read_row_set(Step& step) {
  step.p3() = value_of(class_integer);
  step.may_jump();
  return true;
}

const InstructionTable& moving() {
  static const InstructionTable table{
      {"Rewind", move},
      {"Last", move},
      {"Sort", move},
      {"SorterSort", move},
      {"Next", move},
      {"Prev", move},
      {"SorterNext", move},
      {"VFilter", move},
      {"VNext", move},
      {"SeekGE", seek_and_move},
      {"SeekGT", seek_and_move},
      {"SeekLE", seek_and_move},
      {"SeekLT", seek_and_move},
      {"Found", seek_and_move},
      {"NotFound", seek_and_move},
      {"NoConflict", seek_and_move},
      {"SeekRowid", seek_and_move},
      {"NotExists", seek_and_move},
      {"IdxGE", seek_and_stay},
      {"IdxGT", seek_and_stay},
      {"IdxLE", seek_and_stay},
      {"IdxLT", seek_and_stay},
      {"DeferredSeek", move_other},
      {"NullRow", to_null_row},
      {"IfNullRow", jump_if_null_row},
      {"RowSetRead", read_row_set},
  };
  return table;
}

const InstructionTable& others() {
  static const InstructionTable table{
      {"OpenRead", open_stored},
      {"OpenWrite", open_stored},
      {"ReopenIdx", open_stored},
      {"OpenDup", open_again},
      {"OpenEphemeral", open_kept},
      {"OpenAutoindex", open_kept},
      {"SorterOpen", open_kept},
      {"OpenPseudo", open_pseudo},
      {"VOpen", open_unknown},
      {"Close", pass},
      {"Delete", pass},
      {"IdxDelete", pass},
      {"Clear", pass},
      {"ResetSorter", pass},
      {"RowSetAdd", pass},
      {"SeekHit", pass},
      {"SeekEnd", pass},
      {"FinishSeek", pass},
      {"ColumnsUsed", pass},
      {"CursorHint", pass},
      {"CursorLock", pass},
      {"CursorUnlock", pass},
      {"VUpdate", pass},
      {"RowCell", pass},
      {"FilterAdd", pass},
  };
  return table;
}

}  // namespace

Instruction cursor_instruction(const std::string& code) {
  for (const InstructionTable* const table : {&moving(), &others()})
    if (const auto found = table->find(code); found != table->end()) return found->second;
  return nullptr;
}

void compare(Step& step, const Value& one, const Value& other) {
  const bool nulls_count = (step.op.p5 & null_equals_null) != 0 && step.op.code.size() == 2;  // Eq, Ne
  for (const auto& [value, with] : {std::pair(&one, &other), std::pair(&other, &one)})
    step.machine.meet(value->parameters, with->column, nulls_count);
}

}  // namespace statehouse::queries
