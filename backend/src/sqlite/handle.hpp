#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sqlite/callbacks.hpp"
#include "sqlite/commit_notes.hpp"
#include "sqlite/insert_id.hpp"
#include "sqlite/session_config.hpp"

namespace statehouse::detail {

/// The open SQLite connection of a session: opening and closing it, compiling for it, its errors.
class Handle {
 public:
  /// Throws Error and leaves nothing open when it fails.
  Handle(Session& session, Callbacks& callbacks, SessionConfig config);
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  sqlite3* get() const noexcept { return db_; }
  SQLite::Database& database() const noexcept { return *database_; }
  Callbacks& callbacks() const noexcept { return callbacks_; }
  InsertId& insert_id() noexcept { return insert_id_; }
  /// Null where nobody is told of commits.
  CommitNotes* commit_notes() noexcept { return notes_ ? &*notes_ : nullptr; }
  const SessionConfig& config() const noexcept { return config_; }
  bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }

  /// Null when there is no statement in `sql`; `rest` is what comes after the first one.
  sqlite3_stmt* compile(std::string_view sql, unsigned flags, std::string_view& rest);
  /// What `sql`, which SQLite has compiled before, would write.
  WrittenTables written_by(const std::string& sql) noexcept;
  /// Of the library's own, with every permission.
  void run(const std::string& sql);
  /// What it says, empty when it says nothing.
  std::string pragma(const std::string& sql);
  /// The same for a user, who may leave on it what he likes.
  SQLite::Database& lend() noexcept {
    lent_ = true;
    return *database_;
  }
  bool lent() const noexcept { return lent_; }
  /// A statement has failed, or the connection was lent, since `take_back`.
  bool disturbed() const noexcept { return lent_ || failed_; }
  /// Nobody works on it: no statement is between two steps any more.
  void take_back() noexcept;
  /// Whether `result` is that of an interrupt meant for what ran before: SQLite remembers it as long as any statement
  /// is active, and extensions that are stopped leave some so (FTS5 does). Resets these, and the next try succeeds.
  bool forget_interrupt(int result) noexcept;
  /// One that came when nothing ran any more stays until SQLite reads a text. It would end a checkpoint, also the last
  /// one, which is part of closing, and the log would be left.
  void forget_late_interrupt() noexcept;

  /// If this is the last one to close it leaves the write-ahead log as it is.
  void keep_log(bool keep = true) noexcept;
  /// Before it is closed: so does one that only looks at what others write, but for an empty log, which the opening
  /// itself may have made.
  void keep_log_of_others() noexcept;

  /// Throws the error of a requested stop or a passed deadline, if there is one.
  void throw_if_stopped(std::string_view sql) const;
  [[noreturn]] void fail(int result, std::string_view sql) const;
  const LastError& last_error() const noexcept { return last_error_; }

 private:
  void require_access() const;
  bool log_has_content() const noexcept;
  void finalise_leftovers() noexcept;
  bool reset_busy(bool blobs) noexcept;

  Session& session_;
  Callbacks& callbacks_;
  const SessionConfig config_;
  InsertId insert_id_;
  std::unique_ptr<SQLite::Database> database_;
  sqlite3* db_ = nullptr;
  std::optional<CommitNotes> notes_;
  bool lent_ = false;
  mutable bool failed_ = false;
  mutable LastError last_error_;  // of what `fail` threw
};

}  // namespace statehouse::detail
