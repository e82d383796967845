#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "statehouse/clock.hpp"
#include "statehouse/detail/suspension.hpp"
#include "statehouse/execute_result.hpp"
#include "statehouse/operation_verb.hpp"
#include "statehouse/options.hpp"

namespace statehouse::detail {

class Lane;
class Slot;
#pragma GCC visibility push(default)

/// What is opened before an operation and closed after it.
enum class bracket : unsigned char {
  none,         ///< Nothing: one statement is its own transaction.
  transaction,  ///< A snapshot for readers, BEGIN IMMEDIATE for writers; COMMIT after it, ROLLBACK when it throws.
  maintenance,  ///< No transaction; settings may be changed and are put back.
};

/// The three questions a lane has about an operation.
struct Kind {
  bracket around = bracket::none;
  /// The connection is the caller's when it has ended, as a lease, and so is the transaction of its bracket.
  bool keeps_connection = false;
  /// It may run in one transaction with others; with a bracket only if its CallOptions say `group_commit`.
  bool may_share = false;
};

namespace kinds {
inline constexpr Kind statement{.may_share = true};
inline constexpr Kind lone_statement{};
inline constexpr Kind transaction{.around = bracket::transaction, .may_share = true};
inline constexpr Kind maintenance{.around = bracket::maintenance};
inline constexpr Kind begin{.around = bracket::transaction, .keeps_connection = true};
inline constexpr Kind acquire{.keeps_connection = true};
inline constexpr Kind in_transaction{.keeps_connection = true};  ///< On the lease that `begin` gave.
inline constexpr Kind end{};                                     ///< COMMIT or ROLLBACK there: the lease ends with it.
}  // namespace kinds

/// The pool whose closure or statement runs on this thread, if any; only its address counts.
const void* running_pool() noexcept;

/// What is asked of a pool. Trivially destructible, so it may be a temporary in a `co_await` expression (GCC 12).
struct Request {
  connection_role role;
  Kind kind;
  operation_verb verb;
  std::source_location where;
  CallOptions options{};
  const void* caller = running_pool();  ///< Made inside a closure of this pool: to wait for it would never end.

  bool may_share() const noexcept { return kind.may_share && (kind.around == bracket::none || options.group_commit); }
  /// A query, and asked to: by the call, or by the pool.
  bool may_run_inline(bool by_default) const noexcept {
    return role == connection_role::reader && kind.may_share && kind.around == bracket::none &&
           options.inline_read.value_or(by_default);
  }
  /// There is nothing to run.
  bool wants_only_connection() const noexcept { return kind.keeps_connection && kind.around == bracket::none; }
};

/// One exclusive hold on a connection, by value. A stale one (given back, revoked) is recognised by its ticket.
struct LeaseRef {
  std::shared_ptr<void> keep_alive;  ///< Whom the lane belongs to.
  Lane* lane = nullptr;
  Slot* slot = nullptr;
  std::uint64_t ticket = 0;  ///< 0 where there never was a lease.

  /// False when it was given back or moved from, which leaves the ticket.
  bool held() const noexcept { return keep_alive != nullptr; }
};

/// Owner of a LeaseRef: gives the connection back when it goes. Never blocks.
class LeaseHandle {
 public:
  LeaseHandle() = default;
  explicit LeaseHandle(LeaseRef ref) noexcept : ref_(std::move(ref)) {}
  LeaseHandle(LeaseHandle&& other) noexcept = default;
  LeaseHandle& operator=(LeaseHandle&& other) noexcept {
    if (this != &other) {
      reset();
      ref_ = std::move(other.ref_);
    }
    return *this;
  }
  ~LeaseHandle() { reset(); }

  void reset() noexcept;
  explicit operator bool() const noexcept { return ref_.held(); }
  const LeaseRef& ref() const noexcept { return ref_; }

 private:
  LeaseRef ref_;
};

/// What a lane keeps of an operation: under the lane's mutex, unless something else is said.
struct QueueEntry : boost::intrusive::list_base_hook<> {
  enum class progress : unsigned char { idle, queued, running, done };

  progress status = progress::idle;
  Lane* lane = nullptr;
  Slot* slot = nullptr;      // that runs it, or on whose lease it waits to run
  std::uint64_t number = 0;  // in the order of arrival
  Clock::time_point submitted{};
  Clock::time_point wait_until = Clock::time_point::max();
  // Cancelled after it was taken from the queue: stops it even if it was not armed yet, or is run again.
  std::atomic<bool> cancelled{false};
  // The running thread's, until it is done.
  Clock::time_point started{};
  Clock::duration ran{0};
  bool sent_ahead = false;  // its result comes with the end of the transaction
  bool alone = false;       // it was asked ahead in vain: with nobody else from now on
  bool suspect = false;     // see SessionRules
  // An observer's.
  bool observed = false;        // it was told of the beginning
  unsigned together = 1;        // operations that have shared one commit, this one among them
  void* observation = nullptr;  // what it has left for the end
};

/// The transaction that is open when an operation begins.
enum class open_transaction : unsigned char {
  none,    ///< The operation's bracket is its own.
  shared,  ///< One that it shares with others. It may be executed again.
  leased   ///< The caller's, on whose lease it runs.
};

/// What waits for a connection and then runs on a database thread. A local of the coroutine that awaits it; the lane
/// completes it exactly once, and only after `run` has returned.
class Operation : public Suspension, public QueueEntry {
 public:
  explicit Operation(const Request& request) noexcept : request_(request) {}

  /// On a database thread of `pool`: `run` inside of what its kind asks for. Never throws; keeps the first error of
  /// this execution.
  void execute(Connection& connection, const void* pool, open_transaction around) noexcept;
  /// What it comes to; null forgets an earlier error.
  void fail(std::exception_ptr error) noexcept { error_ = std::move(error); }
  /// It will not run: ends it. From here on `*this` may be gone.
  void refuse(std::exception_ptr error) noexcept {
    fail(std::move(error));
    resume();
  }
  void give(LeaseHandle lease) noexcept { lease_ = std::move(lease); }
  /// The result of a statement that was sent ahead.
  virtual void settle(const ExecuteResult&) noexcept {}

  const Request& request() const noexcept { return request_; }
  const std::exception_ptr& error() const noexcept { return error_; }
  void throw_if_failed() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }
  LeaseHandle take_lease() noexcept { return std::move(lease_); }
  /// The text of a statement, empty for anything else.
  virtual std::string_view sql() const noexcept { return {}; }

 protected:
  virtual void run(Connection& connection) = 0;
  void on_cancel(asio::cancellation_type type) noexcept final;
  /// An observer heard of its beginning, and nobody will submit it.
  void abandon() noexcept;

 private:
  void run_undoably(Connection& connection);
  void run_in_bracket(Connection& connection);
  void run_shared(Connection& connection);
  void run_leased(Connection& connection);

  const Request request_;
  std::exception_ptr error_;
  LeaseHandle lease_;
};

/// An operation that calls `f(connection)` and keeps what it returns.
template <class F>
class CallOperation final : public Operation {
 public:
  using result_type = std::invoke_result_t<F&, Connection&>;

  CallOperation(const Request& request, F& f) noexcept : Operation(request), f_(f) {}
  ~CallOperation() override {
    // A calling thread gave it up, and its caller was cancelled before he could suspend.
    if (observed) abandon();
  }

  result_type take() {
    throw_if_failed();
    if constexpr (!std::is_void_v<result_type>) return std::move(*result_);  // NOLINT(bugprone-unchecked-*)
  }
  void settle(const ExecuteResult& result) noexcept override {
    if constexpr (std::is_same_v<result_type, ExecuteResult>) result_ = result;
  }
  std::string_view sql() const noexcept override {
    if constexpr (requires { f_.sql; }) return f_.sql;
    return {};
  }

 private:
  void run(Connection& connection) override {
    if constexpr (std::is_void_v<result_type>) {
      f_(connection);
    } else {
      result_.emplace(f_(connection));
    }
  }

  F& f_;
  std::optional<std::conditional_t<std::is_void_v<result_type>, std::monostate, result_type>> result_;
};

inline bool run_inline(const LeaseRef&, Operation&) noexcept {
  return false;
}
/// Hands the operation to its lane; it is resumed when done, from within this call at the earliest.
void submit(const LeaseRef& lease, Operation& operation);

/// The one coroutine behind all verbs. `Target` is a shared_ptr<PoolCore> or a LeaseRef.
template <class Target, class F>
asio::awaitable<std::invoke_result_t<F&, Connection&>> perform(Target target, Request request, F f) {
  static_assert(!asio::is_async_operation<std::invoke_result_t<F&, Connection&>>::value,
                "the closure returns an asynchronous operation of Asio that has not begun: await it between statements "
                "in a transaction from begin()");
  CallOperation<F> operation(request, f);
  if (run_inline(target, operation)) co_return operation.take();
  auto start = [&] { submit(target, operation); };
  co_await suspend(operation, start);
  co_return operation.take();
}

/// What a verb gives that waits.
template <class T>
using Awaited = asio::awaitable<T>;

struct PoolAccess;

}  // namespace statehouse::detail
#pragma GCC visibility pop
