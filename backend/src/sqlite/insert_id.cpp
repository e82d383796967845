#include "sqlite/insert_id.hpp"

#include <utility>

namespace statehouse::detail {

int InsertId::install(sqlite3* db) noexcept {
  // Innocuous as SQLite's own is: triggers and views use it.
  return sqlite3_create_function(
      db, "last_insert_rowid", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, this,
      [](sqlite3_context* context, int, sqlite3_value**) {
        const std::int64_t now = sqlite3_last_insert_rowid(sqlite3_context_db_handle(context));
        sqlite3_result_int64(context,
                             now != none ? now : static_cast<const InsertId*>(sqlite3_user_data(context))->earlier_);
      },
      nullptr, nullptr);
}

InsertId::Watch::Watch(InsertId& id, sqlite3* db) noexcept
    : id_(id), db_(db), earlier_(sqlite3_last_insert_rowid(db)), outer_(id.earlier_) {
  if (earlier_ != none) id_.earlier_ = earlier_;  // else within a function of the user's, inside of another statement
  sqlite3_set_last_insert_rowid(db_, none);
}

InsertId::Watch::~Watch() {
  if (sqlite3_last_insert_rowid(db_) == none) sqlite3_set_last_insert_rowid(db_, earlier_);
  id_.earlier_ = outer_;
}

std::int64_t InsertId::Watch::inserted() const noexcept {
  const std::int64_t now = sqlite3_last_insert_rowid(db_);
  return now != none ? now : 0;
}

}  // namespace statehouse::detail
