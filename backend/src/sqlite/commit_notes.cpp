#include "sqlite/commit_notes.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "sqlite/written_tables.hpp"

namespace statehouse::detail {

CommitNotes::~CommitNotes() {
  sqlite3_rollback_hook(db_, nullptr, nullptr);  // closing may roll back
  sqlite3_finalize(version_);
}

/// SQLite also rolls back by itself, after some errors and for OR ROLLBACK.
void CommitNotes::install() noexcept {
  sqlite3_rollback_hook(
      db_,
      [](void* self) {
        auto& notes = *static_cast<CommitNotes*>(self);
        ++notes.rollbacks_;
        notes.forget();
      },
      this);
}

void CommitNotes::add(const WrittenTables& tables) noexcept try {
  if (tables.incomplete()) unseen_ = true;
  for (const std::string& name : tables.names())
    if (std::ranges::find(tables_, name) == tables_.end()) tables_.push_back(name);
} catch (const std::exception&) {  // no memory
  unseen_ = true;
}

void CommitNotes::end_savepoint(bool kept) noexcept {
  if (savepoints_.empty()) return;  // SQLite has rolled back the transaction, and the savepoint with it
  const Savepoint began = savepoints_.back();
  savepoints_.pop_back();
  if (kept) return;
  tables_.resize(began.tables);
  unseen_ = began.unseen;
}

void CommitNotes::add_lent() noexcept {
  settle();  // what he rolls back is not what was committed before
  if (std::exchange(lent_, true)) return;
  lent_in_transaction_ = sqlite3_get_autocommit(db_) == 0;
}

/// In a transaction that he was lent it is noted with the rest; one that he has left open is nothing to what he has
/// committed before.
void CommitNotes::end_lent() noexcept {
  if (!std::exchange(lent_, false)) return;
  if (lent_in_transaction_) {
    unseen_ = true;
  } else if (wanted()) {
    watch_.committed_something();
  }
}

void CommitNotes::forget() noexcept {
  tables_.clear();
  savepoints_.clear();
  unseen_ = lent_in_transaction_ = false;
}

void CommitNotes::tell_if_over() noexcept {
  if (sqlite3_get_autocommit(db_) == 0) return;
  if (wanted()) {
    unseen_ ? watch_.committed_something() : watch_.committed(tables_);
    look_for_others();
  }
  forget();
}

void CommitNotes::begin_looking() noexcept {
  if (in_memory_) return;
  seen_ = data_version();
  unsure_ = wanted();
  sqlite3_finalize(std::exchange(version_, nullptr));  // most databases never have a listener
}

bool CommitNotes::look_for_others() noexcept {
  if (in_memory_) return true;
  const auto now = data_version();
  if (!now) return false;
  if (now == seen_ && !unsure_) return true;
  seen_ = now;
  unsure_ = false;
  watch_.committed_something();
  return true;
}

/// Changes with each commit of another connection; nothing when it could not be read now.
std::optional<int> CommitNotes::data_version() noexcept {
  if (version_ == nullptr)
    sqlite3_prepare_v3(db_, "PRAGMA data_version", -1, SQLITE_PREPARE_PERSISTENT, &version_, nullptr);
  if (version_ == nullptr) return std::nullopt;
  std::optional<int> version;
  if (sqlite3_step(version_) == SQLITE_ROW) version = sqlite3_column_int(version_, 0);
  sqlite3_reset(version_);
  return version;
}

}  // namespace statehouse::detail
