#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "statehouse/detail/temporaries.hpp"
#include "statehouse/lease.hpp"
#include "statehouse/stats.hpp"
#include "statehouse/stream.hpp"
#include "statehouse/transaction.hpp"

namespace statehouse {

namespace detail {

class PoolCore;
#pragma GCC visibility push(default)

/// Runs the operation on the calling thread if that is asked for and possible at once; true when it is done.
bool run_inline(const std::shared_ptr<PoolCore>& core, Operation& operation);
/// Hands the operation to its lane; it is resumed when done, from within this call at the earliest.
void submit(const std::shared_ptr<PoolCore>& core, Operation& operation);

}  // namespace detail

class Changes;

/// Handle to the connections of one database: one writer, and N readers, opened as they are needed. Cheap to
/// copy; all copies mean the same pool.
///
/// | verb | connection | what happens |
/// |---|---|---|
/// | `execute`, `execute_returning` | writer | one statement |
/// | `execute_many` | writer | one statement for many rows, inside BEGIN IMMEDIATE |
/// | `query_all`, `query_optional`, `query_one` | reader | one statement that only reads |
/// | `stream` | reader | one statement that only reads, its rows in batches, one snapshot |
/// | `read(f)` | reader | `f(Reader&)`, one snapshot |
/// | `write(f)` | writer | `f(Connection&)` inside BEGIN IMMEDIATE: commits when it returns, rolls back when it throws |
/// | `write_without_transaction(f)` | writer | `f(Connection&)`, for VACUUM and PRAGMAs |
/// | `begin()` | writer | a Transaction that spans `co_await`s |
/// | `acquire(reader)`, `acquire(writer)` | either | the connection itself, exclusively |
/// | `changes(tables)` | none | tells of what was committed to them, also by other processes |
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
/// `errc::queue_full`, `errc::closed`, SQLite's codes, `operation_aborted`, or what a closure threw; of any member,
/// `errc::invalid_handle` on a handle that was default-constructed or moved from.
/// Lifetime: arguments are copied into the operation, results are values, those of closures too; captures by reference
/// are safe as long as the awaiting coroutine lives. A handle keeps the pool's memory, not its files: after shutdown it
/// answers `errc::closed`. Defaults: waiting at most `PoolOptions::acquire_timeout` (3 s), running without limit;
/// `CallOptions` change both for one call: `pool.execute({.timeout = 500ms}, "DELETE FROM t WHERE id = ?", id)`.
class Pool : public QueryVerbs<Pool, detail::Awaited>,
             public ExecuteVerbs<Pool, detail::Awaited>,
             public ReadVerb<Pool, detail::Awaited>,
             public WriteVerb<Pool, detail::Awaited> {
 public:
  /// An empty handle, to be assigned to.
  Pool() = default;

  /// The rows of one statement that only reads, a batch at a time; for a result that is too large for `query_all`.
  /// Gives at once what they are asked of; `T` and values as in QueryVerbs. `options` limit the wait for the connection
  /// and, by `run_timeout`, each batch.
  template <Row T, Bindable... Args>
  RowStream<T> stream(Sql sql, Args&&... args) const {
    return stream<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  /// The same, with options: `stream<int>({.timeout = 500ms}, "SELECT a FROM t")`.
  template <Row T, Bindable... Args>
  RowStream<T> stream(CallOptions options, Sql sql, Args&&... args) const {
    detail::check_temporaries<Args...>();
    return RowStream<T>(core_, options, sql, std::forward<Args>(args)...);
  }

  /// `f(Connection&)` in no transaction, and gives what it returns. PRAGMAs that `f` changes are set back and what it
  /// attached is detached when it ends.
  template <std::invocable<Connection&> F>
  asio::awaitable<detail::closure_result_t<F, Connection>> write_without_transaction(
      F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) const {
    return perform(std::forward<F>(f), {connection_role::writer, detail::kinds::maintenance,
                                        operation_verb::write_without_transaction, where, options});
  }

  /// A write transaction, begun with BEGIN IMMEDIATE. `options` limit the wait and the BEGIN, not what follows.
  asio::awaitable<Transaction> begin(CallOptions options = {},
                                     std::source_location where = std::source_location::current()) const;
  /// A connection that reads, in no transaction. `options` limit the wait.
  asio::awaitable<ReaderLease> acquire(reader_t, CallOptions options = {},
                                       std::source_location where = std::source_location::current()) const;
  /// The connection that writes, in no transaction. `options` limit the wait.
  asio::awaitable<WriterLease> acquire(writer_t, CallOptions options = {},
                                       std::source_location where = std::source_location::current()) const;

  /// Tells of commits to these tables, or to all where none is named, from now on; needs `statehouse/changes.hpp`.
  /// Names are compared as SQLite does; attached databases and temporary tables have none. Throws as `stats`, and
  /// `errc::not_supported` of a database of a cluster.
  Changes changes(std::vector<std::string> tables = {}) const;

  /// A snapshot; no I/O on the database. Throws Error with `errc::invalid_handle` on an empty handle.
  DatabaseStats stats() const;
  /// The logical name, without prefix and suffix. Valid while a handle to the pool is. Throws as `stats`.
  const std::string& name() const;
  /// The file; ":memory:" for an in-memory database, empty for one of a cluster. Throws as `stats`.
  std::filesystem::path path() const;

 private:
  friend detail::PoolAccess;
  friend detail::VerbAccess;

  explicit Pool(std::shared_ptr<detail::PoolCore> core) noexcept : core_(std::move(core)) {}

  detail::PoolCore& core() const;

  template <class F>
  auto perform(F&& f, const detail::Request& request) const {
    detail::check_verb_closure<F>();
    return detail::perform(core_, request, std::decay_t<F>(std::forward<F>(f)));
  }
  template <class F>
  auto closure(connection_role role, operation_verb verb, F&& f, const CallOptions& options,
               std::source_location where) const {
    return perform(std::forward<F>(f), {role, detail::kinds::transaction, verb, where, options});
  }
  template <class Verb, class... Args>
  auto statement(Verb, const CallOptions& options, Sql sql, Args&&... args) const {
    detail::check_temporaries<Args...>();
    constexpr auto kind = Verb::has_transaction ? detail::kinds::transaction
                          : Verb::may_share     ? detail::kinds::statement
                                                : detail::kinds::lone_statement;
    return detail::perform(core_, detail::Request{Verb::role, kind, Verb::verb, sql.where, options},
                           detail::make_statement<Verb>(sql.text, std::forward<Args>(args)...));
  }

  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace statehouse
#pragma GCC visibility pop
