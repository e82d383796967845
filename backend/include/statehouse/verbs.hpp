#pragma once

#include <array>
#include <concepts>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "statehouse/bind.hpp"
#include "statehouse/detail/closure.hpp"
#include "statehouse/detail/statement_verbs.hpp"
#include "statehouse/execute_result.hpp"
#include "statehouse/operation_verb.hpp"
#include "statehouse/options.hpp"
#include "statehouse/row.hpp"

/// What everything that runs SQL has in common: each verb, with its overloads, once. Nothing here waits or knows who
/// does; a class that has a verb inherits it and says how a statement or closure reaches a connection.
#pragma GCC visibility push(default)
namespace statehouse {

class Reader;
class Connection;

/// The text of one statement and where it was written down. Made implicitly from whatever converts to
/// `std::string_view`; an awaited verb copies the text before it returns.
struct Sql {
  /// The place is that of the call.
  template <class Text>
  requires std::convertible_to<const Text&, std::string_view>
  // NOLINTNEXTLINE(google-explicit-constructor): a call reads `execute("DELETE FROM t")`
  constexpr Sql(const Text& sql, std::source_location here = std::source_location::current()) noexcept
      : text(sql), where(here) {}

  std::string_view text;       ///< Not owned.
  std::source_location where;  ///< For logs, statistics and errors of pools.
};

namespace detail {

/// The way from the verbs to the private parts of the classes that have them.
struct VerbAccess {
  template <class Self, class Mixin, class Verb, class... Args>
  static auto statement(const Mixin& self, Verb verb, const CallOptions& options, Sql sql, Args&&... args) {
    return static_cast<const Self&>(self).statement(verb, options, sql, std::forward<Args>(args)...);
  }
  template <class Self, class Mixin, class F>
  static auto closure(const Mixin& self, connection_role role, operation_verb verb, F&& f, const CallOptions& options,
                      std::source_location where) {
    return static_cast<const Self&>(self).closure(role, verb, std::forward<F>(f), options, where);
  }
  template <class Self>
  static Session& session(const Self& connection) noexcept {
    return *connection.session_;
  }
};

/// A copy of a statement's text; of nearly all without an allocation.
class SqlText {
 public:
  explicit SqlText(std::string_view text) : size_(text.size()) {
    if (size_ > short_.size()) long_ = std::make_unique_for_overwrite<char[]>(size_);
    text.copy(long_ ? long_.get() : short_.data(), size_);
  }
  // NOLINTNEXTLINE(google-explicit-constructor): it is what the verbs take
  operator std::string_view() const noexcept { return {long_ ? long_.get() : short_.data(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> long_;
  std::array<char, 192> short_;
};

/// A statement verb that waits for its connection: owns the text and the values.
template <class Verb, class... Args>
struct StatementCall {
  SqlText sql;
  std::tuple<Args...> args;

  auto operator()(Connection& connection) {
    return std::apply([&](const Args&... values) { return Verb::run(VerbAccess::session(connection), sql, values...); },
                      args);
  }
};

/// Takes ownership of what the call expression only lends.
template <class Verb, class... Args>
auto make_statement(std::string_view sql, Args&&... args) {
  if constexpr (std::same_as<Verb, ExecuteMany>) {
    return StatementCall<Verb, decltype(to_owned_rows(std::forward<Args>(args)))...>{
        SqlText(sql), {to_owned_rows(std::forward<Args>(args))...}};
  } else {
    using Owned = std::tuple<decltype(to_owned(std::forward<Args>(args)))...>;
    return StatementCall<Verb, decltype(to_owned(std::forward<Args>(args)))...>{
        SqlText(sql), Owned(to_owned(std::forward<Args>(args))...)};
  }
}

}  // namespace detail

/// One statement that only reads. `Result<T>` is `boost::asio::awaitable<T>` in Pool, Transaction, ReaderLease and
/// WriterLease, and `T` itself in Reader and Connection.
///
/// `T` is a scalar, a `std::optional` of one, a `std::tuple`, or an aggregate whose fields are read in order; the
/// number of columns and their types are checked (row.hpp). With `by_name<T>` the fields are found by their names.
/// Values bind to the parameters in order (bind.hpp).
///
/// A statement that writes is `errc::write_on_reader`, except in a Transaction and a Connection, which may write. What
/// it has done is undone when its result cannot be given: a row that cannot be read into `T`, or not as many as the
/// verb wants. The transaction goes on. `CallOptions`, where they come first, are for this statement alone:
/// `run_timeout` everywhere, the others of a Pool only, since everybody else has a connection already. Like a
/// pointer's, all verbs are const: what they change is not the object.
template <class Self, template <class> class Result>
class QueryVerbs {
 public:
  /// All rows, in the order SQLite gives them.
  template <Row T, Bindable... Args>
  Result<std::vector<detail::row_type_t<T>>> query_all(Sql sql, Args&&... args) const {
    return query_all<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  /// The same, with options: `query_all<int>({.run_timeout = 1s}, "SELECT a FROM t")`.
  template <Row T, Bindable... Args>
  Result<std::vector<detail::row_type_t<T>>> query_all(CallOptions options, Sql sql, Args&&... args) const {
    return detail::VerbAccess::statement<Self>(*this, detail::QueryAll<T>(), options, sql, std::forward<Args>(args)...);
  }

  /// The row if there is one; two rows are `errc::too_many_rows`.
  template <Row T, Bindable... Args>
  Result<std::optional<detail::row_type_t<T>>> query_optional(Sql sql, Args&&... args) const {
    return query_optional<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  /// The same, with options.
  template <Row T, Bindable... Args>
  Result<std::optional<detail::row_type_t<T>>> query_optional(CallOptions options, Sql sql, Args&&... args) const {
    return detail::VerbAccess::statement<Self>(*this, detail::QueryOptional<T>(), options, sql,
                                               std::forward<Args>(args)...);
  }

  /// Exactly one row, else `errc::no_row` or `errc::too_many_rows`.
  template <Row T, Bindable... Args>
  Result<detail::row_type_t<T>> query_one(Sql sql, Args&&... args) const {
    return query_one<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  /// The same, with options.
  template <Row T, Bindable... Args>
  Result<detail::row_type_t<T>> query_one(CallOptions options, Sql sql, Args&&... args) const {
    return detail::VerbAccess::statement<Self>(*this, detail::QueryOne<T>(), options, sql, std::forward<Args>(args)...);
  }
};

/// One statement that writes: of Pool, Transaction, WriterLease (awaited) and Connection. Values, `Result` and
/// `CallOptions` as in QueryVerbs.
template <class Self, template <class> class Result>
class ExecuteVerbs {
 public:
  /// Runs to the end; rows it gives are ignored.
  template <Bindable... Args>
  Result<ExecuteResult> execute(Sql sql, Args&&... args) const {
    return execute(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  /// The same, with options: `execute({.timeout = 500ms}, "DELETE FROM t WHERE id = ?", id)`.
  template <Bindable... Args>
  Result<ExecuteResult> execute(CallOptions options, Sql sql, Args&&... args) const {
    return detail::VerbAccess::statement<Self>(*this, detail::Execute(), options, sql, std::forward<Args>(args)...);
  }

  /// The same statement once for each row, with its values in order, all in one transaction; in a Transaction and a
  /// Connection inside a savepoint. Rows that it gives are ignored. `rows` is a range that can be gone through more
  /// than once, of single values, tuples, pairs or aggregates, as `std::vector<Person>`: an awaited verb takes over a
  /// container that is moved in, and copies all else, so what only refers to its rows, a span or an initializer_list,
  /// too. Gives the sum of all changes, and of all `last_insert_rowid` the last that is not 0, since 0 means none. When
  /// one fails nothing of any is kept; the Error's message begins with its place, `rows[17]: ` for the eighteenth.
  template <detail::RowsIn Rows>
  Result<ExecuteResult> execute_many(Sql sql, Rows&& rows) const {
    return execute_many(CallOptions{}, sql, std::forward<Rows>(rows));
  }
  /// The same, with options, which limit all rows together.
  template <detail::RowsIn Rows>
  Result<ExecuteResult> execute_many(CallOptions options, Sql sql, Rows&& rows) const {
    return detail::VerbAccess::statement<Self>(*this, detail::ExecuteMany(), options, sql, std::forward<Rows>(rows));
  }

  /// A statement with RETURNING, and its rows; it has run to the end. When a row cannot be read into `T`, all that it
  /// has done is undone, and the transaction it is in, if any, goes on.
  template <Row T, Bindable... Args>
  Result<std::vector<detail::row_type_t<T>>> execute_returning(Sql sql, Args&&... args) const {
    return execute_returning<T>(CallOptions{}, sql, std::forward<Args>(args)...);
  }
  /// The same, with options.
  template <Row T, Bindable... Args>
  Result<std::vector<detail::row_type_t<T>>> execute_returning(CallOptions options, Sql sql, Args&&... args) const {
    return detail::VerbAccess::statement<Self>(*this, detail::ExecuteReturning<T>(), options, sql,
                                               std::forward<Args>(args)...);
  }
};

/// A closure that reads: of Pool, ReaderLease and WriterLease.
template <class Self, template <class> class Result>
class ReadVerb {
 public:
  /// Calls `f(Reader&)` on a database thread, inside one snapshot that all its statements see, and gives what it
  /// returns. `options` limit the whole of it. The closure is copied or moved in; what it captures by reference is safe
  /// as long as the awaiting coroutine lives. Its result is a value: a coroutine, future or function does not compile,
  /// nor does a reference, pointer or view.
  template <std::invocable<Reader&> F>
  Result<detail::closure_result_t<F, Reader>> read(F&& f, CallOptions options = {},
                                                   std::source_location where = std::source_location::current()) const {
    return detail::VerbAccess::closure<Self>(*this, connection_role::reader, operation_verb::read, std::forward<F>(f),
                                             options, where);
  }
};

/// A closure that writes: of Pool and WriterLease.
template <class Self, template <class> class Result>
class WriteVerb {
 public:
  /// Calls `f(Connection&)` on a database thread, inside BEGIN IMMEDIATE: commits when it returns, rolls back when it
  /// throws, and gives what it returned or threw. `options` limit the whole of it. The closure as in ReadVerb::read.
  template <std::invocable<Connection&> F>
  Result<detail::closure_result_t<F, Connection>> write(
      F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) const {
    return detail::VerbAccess::closure<Self>(*this, connection_role::writer, operation_verb::write, std::forward<F>(f),
                                             options, where);
  }
};

namespace detail {
/// An awaitable whose result is a `T`.
template <class A, class T>
concept AwaitableOf = std::same_as<typename A::value_type, T>;
}  // namespace detail

/// What queries can be awaited of: Pool, Transaction, ReaderLease, WriterLease.
template <class T>
concept QueryExecutor = requires(T& db, const CallOptions& options, const Sql& sql) {
  { db.template query_all<int>(options, sql, 1) } -> detail::AwaitableOf<std::vector<int>>;
  { db.template query_optional<int>(options, sql, 1) } -> detail::AwaitableOf<std::optional<int>>;
  { db.template query_one<int>(options, sql, 1) } -> detail::AwaitableOf<int>;
  { db.template query_one<int>(sql) } -> detail::AwaitableOf<int>;
};

/// What statements of any kind can be awaited of: Pool, Transaction, WriterLease. One function then serves a statement
/// of its own and one inside a larger transaction. As `db` has a type that depends on a parameter, a verb with a
/// template argument is written with `template`:
///
///     template <statehouse::Executor Db>
///     boost::asio::awaitable<std::int64_t> rename(Db& db, std::int64_t id, std::string name) {
///       co_await db.execute("UPDATE person SET name = ? WHERE id = ?", name, id);
///       co_return co_await db.template query_one<std::int64_t>("SELECT count(*) FROM person WHERE name = ?", name);
///     }
template <class T>
concept Executor = QueryExecutor<T> && requires(T& db, const CallOptions& options, const Sql& sql) {
  { db.execute(options, sql, 1) } -> detail::AwaitableOf<ExecuteResult>;
  { db.execute(sql) } -> detail::AwaitableOf<ExecuteResult>;
  { db.execute_many(options, sql, std::vector<int>()) } -> detail::AwaitableOf<ExecuteResult>;
  { db.template execute_returning<int>(options, sql, 1) } -> detail::AwaitableOf<std::vector<int>>;
};

/// The synchronous counterpart of QueryExecutor: Reader, Connection.
template <class T>
concept QueryDatabase = requires(T& db, const CallOptions& options, const Sql& sql) {
  { db.template query_all<int>(options, sql, 1) } -> std::same_as<std::vector<int>>;
  { db.template query_optional<int>(options, sql, 1) } -> std::same_as<std::optional<int>>;
  { db.template query_one<int>(options, sql, 1) } -> std::same_as<int>;
  { db.template query_one<int>(sql) } -> std::same_as<int>;
};

/// The synchronous counterpart of Executor: Connection.
template <class T>
concept Database = QueryDatabase<T> && requires(T& db, const CallOptions& options, const Sql& sql) {
  { db.execute(options, sql, 1) } -> std::same_as<ExecuteResult>;
  { db.execute(sql) } -> std::same_as<ExecuteResult>;
  { db.execute_many(options, sql, std::vector<int>()) } -> std::same_as<ExecuteResult>;
  { db.template execute_returning<int>(options, sql, 1) } -> std::same_as<std::vector<int>>;
};

}  // namespace statehouse
#pragma GCC visibility pop
