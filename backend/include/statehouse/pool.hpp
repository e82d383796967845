#pragma once

#include <filesystem>

#include "statehouse/lease.hpp"
#include "statehouse/stats.hpp"
#include "statehouse/transaction.hpp"

namespace statehouse {

/// Handle to the open connections of one database: one writer, and N readers that are handed out in turn. Cheap to
/// copy; all copies mean the same pool.
///
/// | verb | connection | what happens |
/// |---|---|---|
/// | `execute`, `execute_returning` | writer | one statement |
/// | `query_all`, `query_optional`, `query_one` | reader | one statement that only reads |
/// | `read(f)` | reader | `f(Reader&)`, one snapshot |
/// | `write(f)` | writer | `f(Connection&)` inside BEGIN IMMEDIATE: commits when it returns, rolls back when it throws |
/// | `write_without_transaction(f)` | writer | `f(Connection&)`, for VACUUM and PRAGMAs |
/// | `begin()` | writer | a Transaction that spans `co_await`s |
/// | `acquire(reader)`, `acquire(writer)` | either | the connection itself, exclusively |
///
/// Effect: an operation waits for a connection in order of arrival, runs on a database thread, and completes after it
/// is done and committed. A read that starts after a write has completed sees it. What waits at the same moment is run
/// together: queries share a snapshot; `execute`, and `write` with `CallOptions::group_commit`, share a transaction and
/// its commit. Each has the outcome it would have had alone, in its order, and nothing waits for others to come.
/// Thread-safety: any member from any thread, on the same or on different handles. Inside a closure that runs on the
/// same pool every verb fails with `errc::would_deadlock`: use the connection the closure was given.
/// Executor: the caller's coroutine resumes on its own executor, always by a post; that executor counts an outstanding
/// work meanwhile. Only a query with `inline_read` may run on the calling thread, when a reader is idle and has it
/// prepared, and then completes without suspending: a loop of those keeps its thread from everybody else.
/// Cancellation: while an operation waits, any type takes it out of the queue; while it runs, `terminal` stops the
/// statement and rolls back; COMMIT is never interrupted, and what has committed is reported as success, however late.
/// Errors: Error. `errc::acquire_timeout` (with who holds the connections), `errc::deadline_exceeded`,
/// `errc::queue_full`, `errc::closed`, SQLite's codes, `operation_aborted`, or what a closure threw.
/// Lifetime: arguments are copied into the operation, results are values; captures by reference are safe as long as the
/// awaiting coroutine lives. A handle keeps the pool's memory, not its files: after shutdown it answers `errc::closed`.
/// Defaults: waiting at most `PoolOptions::acquire_timeout` (3 s), running without limit; `CallOptions` change both for
/// one call: `pool.execute({.timeout = 500ms}, "DELETE FROM t WHERE id = ?", id)`.
class Pool {
 public:
  explicit Pool(std::shared_ptr<detail::PoolCore> core) noexcept : core_(std::move(core)) {}

  template <Bindable... Args>
  asio::awaitable<ExecuteResult> execute(Sql sql, Args&&... args) const {
    return execute(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  template <Bindable... Args>
  asio::awaitable<ExecuteResult> execute(CallOptions options, Sql sql, Args&&... args) const {
    return statement<detail::Execute>(connection_role::writer, "execute", options, sql, std::forward<Args>(args)...);
  }

  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> execute_returning(Sql sql, Args&&... args) const {
    return execute_returning<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> execute_returning(CallOptions options, Sql sql, Args&&... args) const {
    return detail::perform(core_,
                           detail::Request{connection_role::writer, detail::run_mode::lone_statement,
                                           "execute_returning", sql.where, options},
                           detail::make_statement<detail::QueryAll<T>>(sql.text, std::forward<Args>(args)...));
  }

  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> query_all(Sql sql, Args&&... args) const {
    return query_all<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> query_all(CallOptions options, Sql sql, Args&&... args) const {
    return statement<detail::QueryAll<T>>(connection_role::reader, "query_all", options, sql,
                                          std::forward<Args>(args)...);
  }

  template <Row T, Bindable... Args>
  asio::awaitable<std::optional<T>> query_optional(Sql sql, Args&&... args) const {
    return query_optional<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<std::optional<T>> query_optional(CallOptions options, Sql sql, Args&&... args) const {
    return statement<detail::QueryOptional<T>>(connection_role::reader, "query_optional", options, sql,
                                               std::forward<Args>(args)...);
  }

  template <Row T, Bindable... Args>
  asio::awaitable<T> query_one(Sql sql, Args&&... args) const {
    return query_one<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<T> query_one(CallOptions options, Sql sql, Args&&... args) const {
    return statement<detail::QueryOne<T>>(connection_role::reader, "query_one", options, sql,
                                          std::forward<Args>(args)...);
  }

  /// All statements of `f` see the same snapshot.
  template <std::invocable<Reader&> F>
  auto read(F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) const {
    return closure(std::forward<F>(f),
                   {connection_role::reader, detail::run_mode::transaction, "read", where, options});
  }

  template <std::invocable<Connection&> F>
  auto write(F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) const {
    return closure(std::forward<F>(f),
                   {connection_role::writer, detail::run_mode::transaction, "write", where, options});
  }

  /// PRAGMAs that `f` changes are set back and what it attached is detached when it returns.
  template <std::invocable<Connection&> F>
  auto write_without_transaction(F&& f, CallOptions options = {},
                                 std::source_location where = std::source_location::current()) const {
    return closure(std::forward<F>(f), {connection_role::writer, detail::run_mode::without_transaction,
                                        "write_without_transaction", where, options});
  }

  asio::awaitable<Transaction> begin(CallOptions options = {},
                                     std::source_location where = std::source_location::current()) const;
  asio::awaitable<ReaderLease> acquire(reader_t, CallOptions options = {},
                                       std::source_location where = std::source_location::current()) const;
  asio::awaitable<WriterLease> acquire(writer_t, CallOptions options = {},
                                       std::source_location where = std::source_location::current()) const;

  /// A snapshot; no I/O on the database.
  DatabaseStats stats() const;
  /// The logical name, without prefix and suffix.
  const std::string& name() const noexcept;
  /// The file; ":memory:" for an in-memory database.
  const std::filesystem::path& path() const noexcept;

 private:
  template <class F>
  auto closure(F&& f, const detail::Request& request) const {
    detail::check_closure<F>();
    return detail::perform(core_, request, std::decay_t<F>(std::forward<F>(f)));
  }

  template <class Verb, class... Args>
  auto statement(connection_role role, const char* verb, CallOptions options, Sql sql, Args&&... args) const {
    return detail::perform(core_, detail::Request{role, detail::run_mode::statement, verb, sql.where, options},
                           detail::make_statement<Verb>(sql.text, std::forward<Args>(args)...));
  }

  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace statehouse
