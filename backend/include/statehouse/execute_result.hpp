#pragma once

#include <cstdint>

namespace statehouse {

/// What a statement that writes reports.
struct ExecuteResult {
  std::int64_t changes = 0;            ///< Rows inserted, updated or deleted by the statement itself, not by triggers.
  std::int64_t last_insert_rowid = 0;  ///< Of the most recent INSERT on the connection.
};

}  // namespace statehouse
