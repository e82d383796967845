#include "result_column.hpp"

#include <sqlite3.h>

namespace statehouse::queries {
namespace {

std::string text_or_empty(const char* text) {
  return text == nullptr ? "" : text;
}

/// The column of a table that SQLite says it is of, also where it is of a virtual table, which no page has.
struct Origin {
  std::string table;
  std::string column;
  std::string declared;
};

Origin origin_of(sqlite3_stmt* statement, int index) {
  return {text_or_empty(sqlite3_column_table_name(statement, index)),
          text_or_empty(sqlite3_column_origin_name(statement, index)),
          text_or_empty(sqlite3_column_decltype(statement, index))};
}

std::string names_of(Classes classes) {
  static constexpr std::pair<Classes, const char*> names[] = {
      {class_integer, "INTEGER"}, {class_real, "REAL"}, {class_text, "TEXT"}, {class_blob, "BLOB"}};
  std::string text;
  for (const auto& [one, name] : names)
    if ((classes & one) != 0) text += (text.empty() ? "" : " or ") + std::string(name);
  return text.empty() ? "only NULL" : text;
}

/// What is known of it without its name.
struct Inferred {
  std::string cpp;
  bool nullable = true;
  std::string why;  ///< Where there is no type.
};

/// `stores`: what a statement with RETURNING gives may be a parameter that is now what its column holds.
Inferred infer(const Value& value, const Origin& origin, bool stores, const Schema& schema,
               const QuerySettings& settings) {
  Inferred result{{}, value.nullable() || value.classes == 0, {}};
  if (value.column != nullptr) {
    result.cpp = value.column->type.cpp;
    if (result.cpp.empty())
      result.why = value.column->table + '.' + value.column->name + " is not declared with a type that has one in C++";
    return result;
  }
  const bool stored = stores && value.parameters != 0;
  const bool unknown = value.classes == 0 || (value.classes & any_value) == any_value;
  if (!stored && (!unknown || value.parameters != 0)) {
    result.cpp = type_of_classes(value.classes);
    if (result.cpp.empty()) result.why = "it may be " + (unknown ? "anything" : names_of(value.classes));
    return result;
  }
  // Of a virtual table, of a parameter that was stored, or of a program that was not understood.
  if (const Column* const column = schema.find(origin.table, origin.column)) {
    result.cpp = column->type.cpp;
  } else if (!origin.declared.empty()) {
    result.cpp = type_of_column(origin.table, origin.column, origin.declared, settings).cpp;
  }
  if (result.cpp.empty()) result.why = "it may be anything";
  return result;
}

std::string advice(const ColumnWords& words) {
  const std::string name = is_identifier(words.name) ? words.name : "NAME";
  return ". Say it: AS \"" + name + ": C++ TYPE\"";
}

}  // namespace

ColumnWords words_of(std::string_view column_name) {
  ColumnWords words;
  std::string_view name = column_name;
  std::size_t end = 0;
  while (end < name.size() && is_identifier(name.substr(0, end + 1))) ++end;
  std::string_view rest = name.substr(end);
  if (end == 0) return {std::string(column_name), {}, 0};
  if (rest.starts_with('!') || rest.starts_with('?')) {
    words.mark = rest.front();
    rest.remove_prefix(1);
  }
  if (rest.starts_with(':')) {
    rest.remove_prefix(1);
    const std::size_t begin = rest.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {std::string(column_name), {}, 0};
    words.cpp = rest.substr(begin, rest.find_last_not_of(' ') - begin + 1);
    rest = {};
  }
  if (!rest.empty()) return {std::string(column_name), {}, 0};
  words.name = name.substr(0, end);
  return words;
}

std::variant<CheckedColumn, std::string> result_column(sqlite3_stmt* statement, int index, const ProgramFacts& facts,
                                                       const Schema& schema, const QuerySettings& settings) {
  const ColumnWords words = words_of(text_or_empty(sqlite3_column_name(statement, index)));
  const auto place = static_cast<std::size_t>(index);
  const Value value = facts.complete && place < facts.columns.size() ? facts.columns[place] : Value();
  const Inferred inferred =
      infer(value, origin_of(statement, index), sqlite3_stmt_readonly(statement) == 0, schema, settings);
  CheckedColumn column{is_identifier(words.name) ? words.name : "", words.cpp.empty() ? inferred.cpp : words.cpp,
                       inferred.nullable};
  if (words.mark != 0) column.nullable = words.mark == '?';
  if (column.cpp.empty())
    return "the type of column '" + words.name + "' is not certain: " + inferred.why + advice(words);
  return column;
}

}  // namespace statehouse::queries
