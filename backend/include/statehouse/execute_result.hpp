#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
namespace statehouse {

/// What a statement that writes reports.
struct ExecuteResult {
  std::int64_t changes = 0;  ///< Rows inserted, updated or deleted by the statement itself, not by triggers.
  /// Of the last row that the statement itself inserted; 0 when it inserted none, as after ON CONFLICT DO UPDATE or
  /// DO NOTHING, and in a table WITHOUT ROWID. After an UPDATE of a virtual table it may be a row of the table's own.
  std::int64_t last_insert_rowid = 0;
};

}  // namespace statehouse
#pragma GCC visibility pop
