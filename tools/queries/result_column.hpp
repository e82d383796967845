#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "check.hpp"

struct sqlite3_stmt;

namespace statehouse::queries {

/// What the name of a column says: `"count!"` is never NULL, `"note?"` may be, `"at: std::chrono::sys_seconds"` has
/// that type, and all of it together: `"at!: std::chrono::sys_seconds"`.
struct ColumnWords {
  std::string name;
  std::string cpp;
  char mark = 0;  ///< '!', '?' or none.
};

ColumnWords words_of(std::string_view column_name);

/// The column of a statement's rows, or why it cannot be told what it holds. `facts` are of its program.
std::variant<CheckedColumn, std::string> result_column(sqlite3_stmt* statement, int index, const ProgramFacts& facts,
                                                       const Schema& schema, const QuerySettings& settings);

}  // namespace statehouse::queries
