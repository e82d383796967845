#pragma once

#include <concepts>
#include <source_location>
#include <type_traits>
#include <utility>

#include "statehouse/connection.hpp"
#include "statehouse/detail/operation.hpp"
#include "statehouse/detail/temporaries.hpp"
#include "statehouse/verbs.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

namespace asio = boost::asio;

/// A write transaction that spans `co_await`s: the writer connection, held exclusively inside BEGIN IMMEDIATE. All
/// other writers of the database wait meanwhile, so keep it short; `Pool::write` does the same in one hop where no
/// other work has to be awaited in between. One held longer than `PoolOptions::long_lease` is logged with where it
/// began.
///
/// Effect: the verbs of QueryVerbs, which see the transaction's own writes, and of ExecuteVerbs; `commit` makes it
/// permanent. Destroyed without it, the transaction is rolled back on a database thread before the next writer; the
/// destructor neither blocks nor commits. Of the `CallOptions` only `run_timeout` applies.
/// Thread-safety: one operation at a time; a second one is `errc::operation_in_progress`.
/// Executor: as Pool.
/// Cancellation: a statement that was cancelled, or ended by its `run_timeout`, and that SQLite could undo alone leaves
/// the transaction usable; else the next call is `errc::transaction_rolled_back`. COMMIT and ROLLBACK cannot be
/// cancelled once they run.
/// Errors: as Pool; `errc::transaction_finished` after commit, rollback or a move, `errc::invalid_handle` on one that
/// was default-constructed, `errc::closed` after shutdown took the connection back. Lifetime: may outlive the pool
/// handle it came from.
class Transaction : public QueryVerbs<Transaction, detail::Awaited>, public ExecuteVerbs<Transaction, detail::Awaited> {
 public:
  /// An empty handle, to be assigned to.
  Transaction() = default;

  /// `f(Connection&)` in one hop inside a savepoint: kept when it returns, undone when it throws; the transaction goes
  /// on. Gives what `f` returns, which must be a value as in ReadVerb::read.
  template <std::invocable<Connection&> F>
  asio::awaitable<detail::closure_result_t<F, Connection>> savepoint(
      F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) const {
    detail::check_verb_closure<F>();
    auto nested = [work = std::decay_t<F>(std::forward<F>(f))](Connection& connection) mutable {
      return connection.savepoint([&] { return work(connection); });
    };
    return detail::perform(handle_.ref(), request(operation_verb::savepoint, options, where), std::move(nested));
  }

  /// Makes everything permanent and gives the connection back. When COMMIT fails the transaction is rolled back before
  /// the error is reported.
  asio::awaitable<void> commit(std::source_location where = std::source_location::current()) &&;
  /// Undoes everything and gives the connection back.
  asio::awaitable<void> rollback(std::source_location where = std::source_location::current()) &&;

 private:
  friend detail::PoolAccess;
  friend detail::VerbAccess;

  explicit Transaction(detail::LeaseHandle handle) noexcept : handle_(std::move(handle)) {}

  static detail::Request request(operation_verb verb, const CallOptions& options, std::source_location where) noexcept {
    return {connection_role::writer, detail::kinds::in_transaction, verb, where, options};
  }

  template <class Verb, class... Args>
  auto statement(Verb, const CallOptions& options, Sql sql, Args&&... args) const {
    detail::check_temporaries<Args...>();
    return detail::perform(handle_.ref(), request(Verb::verb, options, sql.where),
                           detail::make_statement<Verb>(sql.text, std::forward<Args>(args)...));
  }

  detail::LeaseHandle handle_;
};

}  // namespace statehouse
#pragma GCC visibility pop
