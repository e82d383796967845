#pragma once

#include <sqlite3.h>

#include <memory>

#include "system.hpp"

namespace statehouse::bench {

struct CloseDatabase {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};
struct FinaliseStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using CDatabase = std::unique_ptr<sqlite3, CloseDatabase>;
using CStatement = std::unique_ptr<sqlite3_stmt, FinaliseStatement>;

/// Created if missing, in WAL mode, with a busy timeout. These throw std::runtime_error with SQLite's words.
CDatabase c_open(const DatabaseFile& database);
void c_execute(sqlite3* db, const char* script);
/// What statehouse sets on every connection besides.
inline constexpr const char* c_settings =
    "PRAGMA foreign_keys = ON; PRAGMA cache_size = -2000; PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = "
    "MEMORY; PRAGMA trusted_schema = OFF; PRAGMA analysis_limit = 400; PRAGMA cell_size_check = ON";
CStatement c_prepare(sqlite3* db, const char* sql);

}  // namespace statehouse::bench
