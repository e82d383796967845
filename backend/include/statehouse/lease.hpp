#pragma once

#include <source_location>
#include <type_traits>
#include <utility>

#include "statehouse/connection.hpp"
#include "statehouse/detail/operation.hpp"
#include "statehouse/detail/temporaries.hpp"
#include "statehouse/verbs.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// Tag of `Pool::acquire`: a connection that reads.
struct reader_t {};
/// Tag of `Pool::acquire`: the connection that writes.
struct writer_t {};
/// Which kind of connection `Pool::acquire` is to give.
inline constexpr reader_t reader{};
/// Which kind of connection `Pool::acquire` is to give.
inline constexpr writer_t writer{};

/// A connection held exclusively across `co_await`s, in no transaction: each statement, and each closure, is one of its
/// own. Returned when destroyed; whatever is still open is rolled back before the next user. Prefer `read`, `write` and
/// `begin`: a held connection is one that others wait for.
///
/// Effect: the verbs of QueryVerbs and ReadVerb. Of the `CallOptions` only `run_timeout` applies.
/// Thread-safety: one operation at a time, a second one is `errc::operation_in_progress`.
/// Executor, cancellation, errors: as Pool; `errc::transaction_finished` after it was released or moved from,
/// `errc::invalid_handle` on one that was default-constructed, `errc::closed` after shutdown took the connection back.
/// Lifetime: may outlive the pool handle it came from.
class ReaderLease : public QueryVerbs<ReaderLease, detail::Awaited>, public ReadVerb<ReaderLease, detail::Awaited> {
 public:
  /// An empty handle, to be assigned to.
  ReaderLease() = default;

  /// Gives the connection back now. Nothing happens on a handle that has none.
  void release() noexcept { handle_.reset(); }

 protected:
  /// @cond
  explicit ReaderLease(detail::LeaseHandle handle) noexcept : handle_(std::move(handle)) {}

  template <class Verb, class... Args>
  auto statement(Verb, const CallOptions& options, Sql sql, Args&&... args) const {
    detail::check_temporaries<Args...>();
    constexpr auto kind = Verb::has_transaction ? detail::kinds::transaction : detail::kinds::statement;
    return detail::perform(handle_.ref(), detail::Request{Verb::role, kind, Verb::verb, sql.where, options},
                           detail::make_statement<Verb>(sql.text, std::forward<Args>(args)...));
  }
  template <class F>
  auto closure(connection_role role, operation_verb verb, F&& f, const CallOptions& options,
               std::source_location where) const {
    detail::check_verb_closure<F>();
    return detail::perform(handle_.ref(), detail::Request{role, detail::kinds::transaction, verb, where, options},
                           std::decay_t<F>(std::forward<F>(f)));
  }
  /// @endcond

 private:
  friend detail::PoolAccess;
  friend detail::VerbAccess;

  detail::LeaseHandle handle_;
};

/// A ReaderLease on the writer connection, which also has the verbs of ExecuteVerbs and WriteVerb.
class WriterLease : public ReaderLease,
                    public ExecuteVerbs<WriterLease, detail::Awaited>,
                    public WriteVerb<WriterLease, detail::Awaited> {
 public:
  /// An empty handle, to be assigned to.
  WriterLease() = default;

 private:
  friend detail::PoolAccess;
  friend detail::VerbAccess;

  using ReaderLease::ReaderLease;
};

}  // namespace statehouse
#pragma GCC visibility pop
