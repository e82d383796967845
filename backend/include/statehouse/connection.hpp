#pragma once

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "statehouse/detail/for_each.hpp"
#include "statehouse/detail/savepoint_scope.hpp"
#include "statehouse/options.hpp"
#include "statehouse/verbs.hpp"

namespace SQLite {
class Database;
}

namespace statehouse {

namespace detail {

struct ConnectionAccess;
#pragma GCC visibility push(default)

/// What a verb gives that does not wait.
template <class T>
using Immediate = T;

/// While what is returned lives, the statements of the session end after `limit` at the latest.
std::shared_ptr<void> limit_run(Session& session, TimeLimit limit);

}  // namespace detail

/// The synchronous view of a connection that reads. What a closure given to `Pool::read` works with.
///
/// Effect: the verbs of QueryVerbs, on the calling thread, which they block. Of their `CallOptions` only `run_timeout`
/// applies, beside the limits of the operation whose closure this is: it ends the statement with
/// `errc::deadline_exceeded`, and the closure may go on.
/// Thread-safety: none; use it only inside the closure it was given to.
/// Cancellation: every statement ends early with `operation_aborted`, `errc::deadline_exceeded` or `errc::closed` when
/// the operation it belongs to is stopped.
/// Errors: Error, with SQLite's extended code where SQLite refused.
/// Lifetime: results are values; arguments need only live until the verb returns.
class Reader : public QueryVerbs<Reader, detail::Immediate> {
 public:
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Calls `f(row)` for each row of a statement that only reads, in order and as SQLite finds them: none is kept.
  /// `f` comes after the values, `for_each<int>("SELECT a FROM t WHERE b = ?", b, [&](int a) { sum += a; })`, takes
  /// what `query_all<T>` would give and returns nothing, or false to stop. Gives how many rows `f` was given.
  ///
  /// `f` may run other statements on this connection, the same one and savepoints too. What it writes is committed or
  /// undone with the transaction, as ever; whether a row that is written now is still to come here, SQLite does not
  /// say. A savepoint that has changed the schema and is rolled back ends the query with an error. Errors: as the other
  /// verbs, and whatever `f` throws. A statement that writes is `errc::write_on_reader`, on a Connection too: use
  /// `execute_returning`. `errc::transaction_rolled_back` as soon as SQLite has rolled the transaction back while `f`
  /// ran, also if `f` has caught the error. A stop, and `run_timeout`, which counts the time of `f`, is heeded before
  /// each row and by the statements of `f`.
  template <Row T, class... ValuesAndFunction>
  requires(sizeof...(ValuesAndFunction) > 0 &&
           detail::ValuesAndFunction<ValuesAndFunction...>::template fit<T>()) std::size_t
      for_each(Sql sql, ValuesAndFunction&&... values_and_f)
  const { return for_each<T>(CallOptions{}, sql, std::forward<ValuesAndFunction>(values_and_f)...); }
  /// The same, with options.
  template <Row T, class... ValuesAndFunction>
  requires(sizeof...(ValuesAndFunction) > 0 &&
           detail::ValuesAndFunction<ValuesAndFunction...>::template fit<T>()) std::size_t
      for_each(CallOptions options, Sql sql, ValuesAndFunction&&... values_and_f)
  const { return statement(detail::ForEach<T>(), options, sql, std::forward_as_tuple(values_and_f...)); }

  /// The SQLiteCpp object behind this connection, for what the verbs do not offer. Of the local engine only: any other
  /// throws Error with `errc::not_supported`. Statements, columns and blobs made from it must be gone when the closure
  /// returns. In a pool, what is changed with it (functions, hooks, anything) lasts until its user is done, with the
  /// verb, the transaction or the lease: then this connection is opened anew, which takes some 0.3 ms.
  SQLite::Database& native();

 protected:
  ~Reader();

 private:
  friend class Connection;
  friend detail::ConnectionAccess;
  friend detail::VerbAccess;

  explicit Reader(std::unique_ptr<detail::Session> session) noexcept;

  template <class Verb, class... Args>
  auto statement(Verb, const CallOptions& options, Sql sql, const Args&... args) const {
    std::shared_ptr<void> limit;
    if (options.run_timeout) limit = detail::limit_run(*session_, *options.run_timeout);
    return Verb::run(*session_, sql.text, args...);
  }

  std::unique_ptr<detail::Session> session_;
};

/// The synchronous view of a connection that writes, and the owner of the connection: as Reader, with the verbs of
/// ExecuteVerbs.
class Connection : public Reader, public ExecuteVerbs<Connection, detail::Immediate> {
 public:
  /// Opens `path` (":memory:" for a private in-memory database) on its own, outside any pool: for tools and tests.
  /// Creates the file if missing, mode 0600. One process should have one writer per file. Throws Error, with
  /// `errc::file_in_use` where a pool of this process has the file `exclusive` or `immutable`.
  explicit Connection(const std::filesystem::path& path, const ConnectionOptions& options = {});
  /// Closes the connection if it is one outside any pool.
  ~Connection() = default;

  /// Opens an existing file on its own for queries only, whatever its journal mode; creates nothing. A statement that
  /// writes is `errc::write_on_reader`. Where a log was left by somebody else, it is left again. A file that may only
  /// be read is refused in WAL mode, with SQLITE_READONLY, unless its -wal and -shm are there, as while a server has it
  /// open. Throws Error.
  static Connection for_reading(const std::filesystem::path& path, const ConnectionOptions& options = {});

  /// An empty database in memory, which errors call `name`. Throws Error.
  static Connection in_memory(std::string name, const ConnectionOptions& options = {});

  /// A database of a cluster, which exists from the first time that it is opened; `cluster.database` names it. A lost
  /// leader is looked for again as for a pool. `ConnectionOptions::on_connect` is not for this. Once `stop` is
  /// requested, by any thread, this and all that is run on the connection ends with `operation_aborted`, but a COMMIT
  /// under way, whose answer is waited for. Throws Error: `errc::unavailable` when there is no leader,
  /// `errc::invalid_option` for addresses that are none, `errc::invalid_name`.
  static Connection in_cluster(const ClusterOptions& cluster, connection_role role,
                               const ConnectionOptions& options = {}, const std::stop_token& stop = {});

  /// Several statements without parameters, in order; stops at the first that fails.
  void execute_script(std::string_view sql);

  /// Runs `f()` inside a savepoint: released when it returns, rolled back to when it throws. Nests.
  /// Returns what `f` returns, which must be a value as in ReadVerb::read.
  template <std::invocable F>
  std::invoke_result_t<F> savepoint(F&& f);

 private:
  friend detail::ConnectionAccess;
  explicit Connection(std::unique_ptr<detail::Session> session) noexcept;
  Connection(std::unique_ptr<detail::Session> session, const ConnectionOptions& options);
};

template <std::invocable F>
std::invoke_result_t<F> Connection::savepoint(F&& f) {
  detail::check_result<std::invoke_result_t<F>>();
  detail::SavepointScope scope(*session_);
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
#pragma GCC visibility pop
