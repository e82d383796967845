#include "program.hpp"

#include <sqlite3.h>

#include <memory>

namespace statehouse::queries {

std::vector<Operation> program_of(sqlite3* database, std::string_view sql) {
  const std::string explain = "EXPLAIN " + std::string(sql);
  sqlite3_stmt* prepared = nullptr;
  sqlite3_prepare_v2(database, explain.c_str(), -1, &prepared, nullptr);
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(prepared, &sqlite3_finalize);
  std::vector<Operation> program;
  while (prepared != nullptr && sqlite3_step(prepared) == SQLITE_ROW) {
    if (sqlite3_column_int(prepared, 0) != static_cast<int>(program.size())) break;  // a trigger's begins at 0 again
    const auto text = [&](int column) {
      const unsigned char* const value = sqlite3_column_text(prepared, column);
      return value == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(value));
    };
    const auto number = [&](int column) { return sqlite3_column_int(prepared, column); };
    program.push_back({text(1), number(2), number(3), number(4), text(5), number(6)});
  }
  return program;
}

}  // namespace statehouse::queries
