#pragma once

#include "statehouse/lease.hpp"

namespace statehouse {

/// A write transaction that spans `co_await`s: the writer connection, held exclusively inside BEGIN IMMEDIATE. All
/// other writers of the database wait meanwhile, so keep it short; `Pool::write` does the same in one hop where no
/// other work has to be awaited in between. One held longer than `PoolOptions::long_lease` is logged with where it
/// began.
///
/// Effect: `commit` makes it permanent. Destroyed without it, the transaction is rolled back on a database thread
/// before the next writer; the destructor neither blocks nor commits. Thread-safety: one operation at a time; a second
/// one is `errc::operation_in_progress`. Cancellation: a cancelled statement that SQLite could undo alone leaves the
/// transaction usable; else the next call is `errc::transaction_rolled_back`. COMMIT and ROLLBACK cannot be cancelled
/// once they run. Errors: as Pool; `errc::transaction_finished` after commit, rollback or a move.
class Transaction {
 public:
  explicit Transaction(detail::LeaseHandle handle) noexcept : handle_(std::move(handle)) {}

  template <Bindable... Args>
  asio::awaitable<ExecuteResult> execute(Sql sql, Args&&... args) {
    return statement<detail::Execute>("execute", sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> execute_returning(Sql sql, Args&&... args) {
    return statement<detail::QueryAll<T>>("execute_returning", sql, std::forward<Args>(args)...);
  }
  /// Queries see the transaction's own writes.
  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> query_all(Sql sql, Args&&... args) {
    return statement<detail::QueryAll<T>>("query_all", sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<std::optional<T>> query_optional(Sql sql, Args&&... args) {
    return statement<detail::QueryOptional<T>>("query_optional", sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<T> query_one(Sql sql, Args&&... args) {
    return statement<detail::QueryOne<T>>("query_one", sql, std::forward<Args>(args)...);
  }

  /// `f(Connection&)` in one hop inside a savepoint: kept when it returns, undone when it throws; the transaction goes
  /// on.
  template <std::invocable<Connection&> F>
  auto savepoint(F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) {
    detail::check_closure<F>();
    auto nested = [work = std::decay_t<F>(std::forward<F>(f))](Connection& connection) mutable {
      return connection.savepoint([&] { return work(connection); });
    };
    return detail::perform(handle_.ref(), request("savepoint", where, options), std::move(nested));
  }

  /// When COMMIT fails the transaction is rolled back before the error is reported.
  asio::awaitable<void> commit(std::source_location where = std::source_location::current()) &&;
  asio::awaitable<void> rollback(std::source_location where = std::source_location::current()) &&;

 private:
  static detail::Request request(const char* verb, std::source_location where, CallOptions options = {}) noexcept {
    return {connection_role::writer, detail::run_mode::in_transaction, verb, where, options};
  }
  template <class Verb, class... Args>
  auto statement(const char* verb, Sql sql, Args&&... args) {
    return detail::perform(handle_.ref(), request(verb, sql.where),
                           detail::make_statement<Verb>(sql.text, std::forward<Args>(args)...));
  }

  detail::LeaseHandle handle_;
};

}  // namespace statehouse
