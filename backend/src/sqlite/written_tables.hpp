#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct sqlite3_stmt;

namespace statehouse::detail {

class Handle;

/// The tables of the database itself that a statement may write, with those that its triggers and foreign keys write,
/// and of virtual tables their own names. As SQLite's authorizer tells them when a statement is compiled: an update
/// hook hears neither of DELETE without WHERE nor of tables WITHOUT ROWID.
class WrittenTables {
 public:
  /// An action that was asked for.
  void note(int action, const char* first, const char* second, const char* schema) noexcept;

  const std::vector<std::string>& names() const noexcept { return names_; }
  bool changes_schema() const noexcept { return schema_; }
  /// There may be others.
  bool incomplete() const noexcept { return incomplete_; }
  void note_incomplete() noexcept { incomplete_ = true; }

 private:
  void add(const char* name, const char* schema);

  std::vector<std::string> names_;  // each once
  bool schema_ = false;
  bool incomplete_ = false;
};

/// What a statement that SQLite keeps compiled has written in its present run, for the notes of its connection.
class StatementWrites {
 public:
  /// The first time, or when SQLite has compiled the statement again, finds out by compiling it once more.
  void begin(Handle& handle, sqlite3_stmt* statement, const std::string& sql);
  /// It has come to its end, by whatever way; nothing when it has not begun. Compiles nothing when it has failed, as
  /// SQLite would forget why.
  void end(Handle& handle, sqlite3_stmt* statement, const std::string& sql, bool failed);

 private:
  void learn(Handle& handle, sqlite3_stmt* statement, const std::string& sql);
  bool changed_schema(Handle& handle) const noexcept;

  WrittenTables tables_;
  int compiled_ = -1;  // so often when the tables were asked for
  bool running_ = false;
  unsigned rollbacks_before_ = 0;
  std::int64_t rows_before_ = 0;
  bool may_change_schema_ = false;
  std::optional<std::string> schema_before_;  // its version
};

}  // namespace statehouse::detail
