#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <limits>

namespace statehouse::detail {

/// Tells the row that a statement has inserted from that of an earlier one. SQLite has one number for both: after an
/// upsert that updated, or did nothing, it is that of another table, maybe of another caller.
class InsertId {
 public:
  InsertId() = default;
  InsertId(const InsertId&) = delete;
  InsertId& operator=(const InsertId&) = delete;

  /// SQL's own last_insert_rowid() goes on giving the earlier number. `*this` must live as long as `db`. Gives SQLite's
  /// result.
  int install(sqlite3* db) noexcept;

  /// The time of one statement.
  class Watch {
   public:
    Watch(InsertId& id, sqlite3* db) noexcept;
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// 0 when it has inserted nothing.
    std::int64_t inserted() const noexcept;

   private:
    InsertId& id_;
    sqlite3* const db_;
    const std::int64_t earlier_;
    const std::int64_t outer_;
  };

 private:
  /// Stands for "nothing yet" while a statement runs. SQLite gives it to no row by itself.
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::min();

  std::int64_t earlier_ = 0;  // while a statement is watched
};

}  // namespace statehouse::detail
