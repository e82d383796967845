#pragma once

#include <concepts>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "statehouse/bind.hpp"
#include "statehouse/detail/session.hpp"
#include "statehouse/row.hpp"

namespace statehouse {

/// What a statement that writes reports.
struct ExecuteResult {
  std::int64_t changes = 0;            ///< Rows inserted, updated or deleted by the statement itself, not by triggers.
  std::int64_t last_insert_rowid = 0;  ///< Of the most recent INSERT on the connection.
};

/// The synchronous view of a connection that reads. What a closure given to `Pool::read` works with.
///
/// Thread-safety: none; use it only inside the closure it was given to. Statements run on the calling thread.
/// Cancellation: every statement ends early with `operation_aborted`, `errc::deadline_exceeded` or `errc::closed` when
/// the job it belongs to is stopped. Errors: Error, with SQLite's extended code where SQLite refused.
///
/// `T` in a query is a scalar, a `std::optional` of one, a `std::tuple`, or an aggregate whose fields are read in
/// order; the number of columns and their types are checked (see row.hpp). Values bind as described in bind.hpp.
class Reader {
 public:
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  template <Row T, class... Args>
  std::vector<T> query_all(std::string_view sql, const Args&... args);

  /// The first row if there is one; two rows are `errc::too_many_rows`.
  template <Row T, class... Args>
  std::optional<T> query_optional(std::string_view sql, const Args&... args);

  /// Exactly one row, else `errc::no_row` or `errc::too_many_rows`.
  template <Row T, class... Args>
  T query_one(std::string_view sql, const Args&... args);

  /// The SQLiteCpp object behind this connection, for what the verbs do not offer. Local databases only. Statements and
  /// columns made from it must be gone when the closure returns.
  SQLite::Database& native() noexcept { return session_->native(); }

  /// The library's own door to the connection.
  detail::Session& session() noexcept { return *session_; }

 protected:
  explicit Reader(detail::SessionConfig config) : session_(std::make_unique<detail::Session>(std::move(config))) {}
  ~Reader() = default;

 private:
  std::unique_ptr<detail::Session> session_;
};

/// The synchronous view of a connection that writes, and the owner of the connection.
class Connection : public Reader {
 public:
  /// Also calls `ConnectionOptions::on_connect`.
  explicit Connection(detail::SessionConfig config);
  /// Opens `path` (":memory:" for a private in-memory database) on its own, outside any pool: for tools and tests.
  /// Creates the file if missing, mode 0600. One process should have one writer per file.
  explicit Connection(const std::filesystem::path& path, ConnectionOptions options = {});
  ~Connection() = default;

  /// Opens an existing file on its own for queries only, whatever its journal mode; creates nothing. A statement that
  /// writes is `errc::write_on_reader`. Where a log was left by somebody else, it is left again. A file that may only
  /// be read is refused in WAL mode, with SQLITE_READONLY, unless its -wal and -shm are there, as while a server has it
  /// open.
  static Connection for_reading(const std::filesystem::path& path, ConnectionOptions options = {});

  /// One statement; rows it gives are ignored.
  template <class... Args>
  ExecuteResult execute(std::string_view sql, const Args&... args);

  /// One statement with RETURNING; it has run to completion when this returns.
  template <Row T, class... Args>
  std::vector<T> execute_returning(std::string_view sql, const Args&... args) {
    return this->query_all<T>(sql, args...);
  }

  /// Several statements without parameters, in order; stops at the first that fails.
  void execute_script(std::string_view sql) { session().execute_script(sql); }

  /// Runs `f()` inside a savepoint: released when it returns, rolled back to when it throws. Nests.
  /// Returns what `f` returns.
  template <std::invocable F>
  std::invoke_result_t<F> savepoint(F&& f);
};

template <Row T, class... Args>
std::vector<T> Reader::query_all(std::string_view sql, const Args&... args) {
  detail::Statement statement = session_->prepare(sql);
  detail::bind_all(statement, args...);
  std::vector<T> rows;
  while (statement.step()) rows.push_back(detail::read_row<T>(statement));
  return rows;
}

template <Row T, class... Args>
std::optional<T> Reader::query_optional(std::string_view sql, const Args&... args) {
  detail::Statement statement = session_->prepare(sql);
  detail::bind_all(statement, args...);
  if (!statement.step()) return std::nullopt;
  std::optional<T> row(std::in_place, detail::read_row<T>(statement));
  if (statement.step()) session_->fail(errc::too_many_rows, "the query found more than one row: use query_all", sql);
  return row;
}

template <Row T, class... Args>
T Reader::query_one(std::string_view sql, const Args&... args) {
  auto row = query_optional<T>(sql, args...);
  if (!row) session_->fail(errc::no_row, "the query found no row: use query_optional if that can happen", sql);
  return std::move(*row);
}

template <class... Args>
ExecuteResult Connection::execute(std::string_view sql, const Args&... args) {
  detail::Statement statement = session().prepare(sql);
  detail::bind_all(statement, args...);
  sqlite3* const db = session().handle();
  const auto before = sqlite3_total_changes64(db);
  statement.run_to_completion();
  // sqlite3_changes64 keeps the number of an earlier statement when this one was not an INSERT, UPDATE or DELETE.
  const bool changed = sqlite3_total_changes64(db) != before;
  return {changed ? sqlite3_changes64(db) : 0, sqlite3_last_insert_rowid(db)};
}

namespace detail {
/// A savepoint that is rolled back unless released.
class SavepointScope {
 public:
  explicit SavepointScope(Session& session);
  ~SavepointScope();
  SavepointScope(const SavepointScope&) = delete;
  SavepointScope& operator=(const SavepointScope&) = delete;
  void release();

 private:
  Session& session_;
  bool outer_;  // whether a transaction was expected before
  bool released_ = false;
};
}  // namespace detail

template <std::invocable F>
std::invoke_result_t<F> Connection::savepoint(F&& f) {
  detail::SavepointScope scope(session());
  if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
    std::forward<F>(f)();
    scope.release();
  } else {
    auto result = std::forward<F>(f)();
    scope.release();
    return result;
  }
}

}  // namespace statehouse
