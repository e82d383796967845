#include <algorithm>
#include <charconv>

#include "machine.hpp"

/// The instructions that open cursors, move them, read and write through them.
namespace statehouse::queries {
namespace {

constexpr int root_page_in_register = 0x10;
constexpr int null_equals_null = 0x80;

int number_of(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Cursor& cursor(Step& step, int number) {
  return step.state.cursors[number];
}

bool open_stored(Step& step) {
  if ((step.op.p5 & root_page_in_register) != 0 && step.op.code == "OpenWrite") return false;
  Cursor opened;
  if (step.op.p3 == 0) opened = {cursor_kind::stored, step.op.p2};
  cursor(step, step.op.p1) = opened;
  return pass(step);
}

bool open_kept(Step& step) {
  cursor(step, step.op.p1) = {cursor_kind::kept, step.op.p1};
  return pass(step);
}

bool open_again(Step& step) {
  cursor(step, step.op.p1) = cursor(step, step.op.p2);
  return pass(step);
}

bool open_pseudo(Step& step) {
  cursor(step, step.op.p1) = {cursor_kind::pseudo, step.op.p2};
  return pass(step);
}

bool open_unknown(Step& step) {
  cursor(step, step.op.p1) = Cursor();
  return pass(step);
}

bool to_null_row(Step& step) {
  Cursor& moved = cursor(step, step.op.p1);
  if (moved.kind != cursor_kind::pseudo) {  // there it only says that the record is another
    moved.positioned = false;
    moved.on_null_row = true;
  }
  return pass(step);
}

void place(Step& step, int number) {
  cursor(step, number).positioned = true;
  cursor(step, number).on_null_row = false;
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

/// What a cursor has in a place of its records.
Value field_of(Step& step, const Cursor& from, int index) {
  const auto place = static_cast<std::size_t>(index);
  if (from.kind == cursor_kind::stored) {
    const auto& record = step.machine.schema().record_at(from.where);
    return place < record.size() && record[place] != nullptr ? value_of(*record[place]) : value_of(anything);
  }
  if (from.kind == cursor_kind::unknown) return value_of(anything);
  const Value& record = from.kind == cursor_kind::kept ? step.machine.kept_at(from.where) : step.state.at(from.where);
  if (place < record.fields().size()) return record.fields()[place];
  return value_of(record.fields().empty() ? 0 : anything);
}

Value read_from(const Cursor& from, Value value) {
  if (!from.on_null_row) return value;
  value.classes = (from.positioned ? value.classes : 0) | class_null;
  value.constant.reset();
  return value;
}

bool read_column(Step& step) {
  const Cursor from = cursor(step, step.op.p1);
  step.p3() = read_from(from, field_of(step, from, step.op.p2));
  return pass(step);
}

bool read_rowid(Step& step) {
  const Cursor from = cursor(step, step.op.p1);
  Value value = value_of(class_integer);
  if (from.kind == cursor_kind::stored) {
    const auto& record = step.machine.schema().record_at(from.where);
    const Column* column = step.machine.schema().rowid_at(from.where);
    if (step.op.code == "IdxRowid" && !record.empty()) column = record.back();
    if (column != nullptr) value = value_of(*column);
  }
  step.p2() = read_from(from, value);
  return pass(step);
}

bool read_unknown(Step& step) {
  step.p3() = value_of(anything);
  return pass(step);
}

bool give_number(Step& step) {
  step.p2() = value_of(class_integer);
  return pass(step);
}

bool read_record(Step& step) {
  const Cursor from = cursor(step, step.op.p1);
  if (from.kind == cursor_kind::kept) {
    step.p2() = record_of(step.machine.kept_at(from.where).fields());
    return pass(step);
  }
  std::vector<Value> fields;
  if (from.kind == cursor_kind::stored) {
    const auto count = static_cast<int>(step.machine.schema().record_at(from.where).size());
    for (int i = 0; i < count; ++i) fields.push_back(field_of(step, from, i));
  }
  step.p2() = record_of(std::move(fields));
  return pass(step);
}

bool make_record(Step& step) {
  std::vector<Value> fields;
  for (int i = 0; i < step.op.p2; ++i) {
    Value& field = step.state.at(step.op.p1 + i);
    if (static_cast<std::size_t>(i) < step.op.p4.size())
      field.classes = with_affinity(step.op.p4[static_cast<std::size_t>(i)], field.classes);
    fields.push_back(field);
  }
  step.p3() = record_of(std::move(fields));
  step.p3().first_register = step.op.p1;
  return pass(step);
}

/// A value goes into a column: what is in its register now is what the column has.
void store(Step& step, int index, const Column* column) {
  if (column == nullptr) return;
  Value& value = step.state.at(index);
  step.machine.meet(value.parameters, column, true);
  const bool nullable = value.nullable() && column->nullable;
  value = value_of(*column);
  if (!nullable) value.classes &= any_value;
}

bool insert(Step& step) {
  const Cursor to = cursor(step, step.op.p1);
  const Value record = step.p2();
  if (to.kind == cursor_kind::kept) step.machine.keep(to.where, record);
  if (to.kind == cursor_kind::stored) {
    const Column* const rowid = step.machine.schema().rowid_at(to.where);
    const auto& columns = step.machine.schema().record_at(to.where);
    for (std::size_t i = 0; i < std::min(columns.size(), record.fields().size()); ++i)
      if (columns[i] != rowid) store(step, record.first_register + static_cast<int>(i), columns[i]);
    if (step.op.code == "Insert") store(step, step.op.p3, rowid);
  }
  return pass(step);
}

/// The values from a register on meet the columns that a cursor looks through.
void look_for(Step& step, int first, int count) {
  const Cursor in = cursor(step, step.op.p1);
  for (int i = 0; i < count; ++i) compare(step, field_of(step, in, i), step.state.at(first + i));
}

bool seek(Step& step) {
  const Cursor in = cursor(step, step.op.p1);
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
  const Cursor before = cursor(step, step.op.p1);
  if (before.positioned) {
    place(step, step.op.p1);
    step.go_on();
  }
  if (before.on_null_row) {
    cursor(step, step.op.p1) = {before.kind, before.where, false, true};
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
      {"Column", read_column},
      {"VColumn", read_unknown},
      {"Rowid", read_rowid},
      {"IdxRowid", read_rowid},
      {"Count", give_number},
      {"Sequence", give_number},
      {"NewRowid", give_number},
      {"RowData", read_record},
      {"SorterData", read_record},
      {"MakeRecord", make_record},
      {"Insert", insert},
      {"IdxInsert", insert},
      {"SorterInsert", insert},
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
