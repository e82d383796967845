#pragma once

#include <string_view>

struct sqlite3_stmt;

namespace statehouse::detail {

class Session;

/// A prepared statement checked out of its connection's cache: exclusively this object's until it is destroyed, then
/// reset, unbound and given back. Two of the same text may be out at once.
///
/// Lifetime: must not outlive the closure or job it was prepared in.
class Statement {
 public:
  Statement(Session& session, std::string_view sql, sqlite3_stmt* handle, bool cached) noexcept
      : session_(session), sql_(sql), handle_(handle), cached_(cached) {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// True when there is a row. Throws Error; a stop that was requested before the first step is not lost.
  bool step();
  void run_to_completion();

  sqlite3_stmt* handle() const noexcept { return handle_; }
  std::string_view sql() const noexcept { return sql_; }
  Session& session() const noexcept { return session_; }

 private:
  Session& session_;
  std::string_view sql_;
  sqlite3_stmt* handle_;
  bool cached_;
};

}  // namespace statehouse::detail
