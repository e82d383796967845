#include <algorithm>

#include "machine.hpp"

/// The instructions that read and write through cursors.
namespace statehouse::queries {
namespace {

Value read_from(const Cursor& from, Value value) {
  if (!from.on_null_row) return value;
  value.classes = (from.positioned ? value.classes : 0) | class_null;
  value.constant.reset();
  return value;
}

bool read_column(Step& step) {
  const Cursor from = step.cursor(step.op.p1);
  step.p3() = read_from(from, field_of(step, from, step.op.p2));
  return pass(step);
}

bool read_rowid(Step& step) {
  const Cursor from = step.cursor(step.op.p1);
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
  const Cursor from = step.cursor(step.op.p1);
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
  const Cursor to = step.cursor(step.op.p1);
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

const InstructionTable& records() {
  static const InstructionTable table{
      {"Column", read_column},     {"VColumn", read_unknown},   {"Rowid", read_rowid},     {"IdxRowid", read_rowid},
      {"Count", give_number},      {"Sequence", give_number},   {"NewRowid", give_number}, {"RowData", read_record},
      {"SorterData", read_record}, {"MakeRecord", make_record}, {"Insert", insert},        {"IdxInsert", insert},
      {"SorterInsert", insert},
  };
  return table;
}

}  // namespace

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

Instruction record_instruction(const std::string& code) {
  const auto found = records().find(code);
  return found == records().end() ? nullptr : found->second;
}

}  // namespace statehouse::queries
