#pragma once

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "statehouse/connection.hpp"
#include "statehouse/detail/suspension.hpp"

namespace statehouse::detail {

class PoolCore;
class Lane;
struct Slot;

/// What surrounds the work of an operation on its connection.
enum class run_mode : unsigned char {
  statement,            ///< Nothing: one statement, its own transaction, or one it shares with others of its kind.
  lone_statement,       ///< Nothing: one statement, its own transaction.
  transaction,          ///< A snapshot for readers, BEGIN IMMEDIATE for writers; commit on return, rollback on throw.
  without_transaction,  ///< Settings may be changed and are put back.
  begin,                ///< BEGIN IMMEDIATE; the connection goes to the caller as a lease.
  acquire,              ///< Nothing at all; the connection goes to the caller as a lease.
  in_transaction,       ///< A statement of a transaction that a lease has open.
  commit,
  rollback,
};

/// The pool whose closure or statement runs on this thread, if any.
const PoolCore* running_pool() noexcept;

/// What is asked of a pool. Trivially destructible, so it may be a temporary in a `co_await` expression (GCC 12).
struct Request {
  connection_role role;
  run_mode mode;
  const char* verb;
  std::source_location where;
  CallOptions options{};
  const PoolCore* caller = running_pool();  ///< Made inside a closure of this pool: to wait for it would never end.

  /// Whether it may run in one transaction with others.
  bool may_share() const noexcept {
    return mode == run_mode::statement || (mode == run_mode::transaction && options.group_commit);
  }
};

/// One exclusive hold on a connection, by value. A stale one (given back, revoked) is recognised by its ticket.
struct LeaseRef {
  std::shared_ptr<PoolCore> core;
  Lane* lane = nullptr;
  Slot* slot = nullptr;
  std::uint64_t ticket = 0;
};

/// Owner of a LeaseRef: gives the connection back when it goes. Never blocks.
class LeaseHandle {
 public:
  LeaseHandle() = default;
  explicit LeaseHandle(LeaseRef ref) noexcept : ref_(std::move(ref)) {}
  LeaseHandle(LeaseHandle&& other) noexcept : ref_(std::exchange(other.ref_, {})) {}
  LeaseHandle& operator=(LeaseHandle&& other) noexcept {
    if (this != &other) {
      reset();
      ref_ = std::exchange(other.ref_, {});
    }
    return *this;
  }
  ~LeaseHandle() { reset(); }

  void reset() noexcept;
  explicit operator bool() const noexcept { return ref_.core != nullptr; }
  const LeaseRef& ref() const noexcept { return ref_; }

 private:
  LeaseRef ref_;
};

/// Work that waits for a connection and then runs on a database thread. A local of the coroutine that awaits it; the
/// lane completes it exactly once, and only after `run` has returned.
class Operation : public Suspension, public boost::intrusive::list_base_hook<> {
 public:
  explicit Operation(const Request& request) noexcept : request_(request) {}

  /// On a database thread: `run` inside what the mode asks for, or, when `shared`, inside the transaction that is open.
  /// Never throws; keeps the first error of this execution. What ran shared may be executed again.
  void execute(Connection& connection, const PoolCore& pool, bool shared = false) noexcept;

  const Request& request() const noexcept { return request_; }
  void throw_if_failed() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }
  LeaseHandle take_lease() noexcept { return std::move(lease_); }
  /// The text of a statement, empty for anything else.
  virtual std::string_view sql() const noexcept { return {}; }

 protected:
  virtual void run(Connection& connection) = 0;
  void on_cancel(asio::cancellation_type type) noexcept final;

 private:
  friend class Lane;
  friend class Batch;
  enum class state : unsigned char { idle, queued, claimed, done };

  void run_in_mode(Connection& connection);
  void run_shared(Connection& connection);

  const Request request_;
  // The lane's, under its mutex.
  state state_ = state::idle;
  Lane* lane_ = nullptr;
  Slot* slot_ = nullptr;   // that has claimed it, or on whose lease it waits to run
  std::size_t claim_ = 0;  // place among the slot's claims
  // Cancelled after it was taken from the claims: stops it even if it was not armed yet, or is run again.
  std::atomic<bool> cancelled_{false};
  Clock::time_point submitted_{};
  Clock::time_point wait_until_ = Clock::time_point::max();
  // The running thread's, until it is done.
  Clock::time_point started_{};
  Clock::duration ran_{0};
  std::exception_ptr error_;
  LeaseHandle lease_;
};

/// An operation that calls `work(connection)` and keeps what it returns.
template <class Work>
class Job final : public Operation {
 public:
  using result_type = std::invoke_result_t<Work&, Connection&>;

  Job(const Request& request, Work& work) noexcept : Operation(request), work_(work) {}

  result_type take() {
    throw_if_failed();
    if constexpr (!std::is_void_v<result_type>) return std::move(*result_);
  }
  std::string_view sql() const noexcept override {
    if constexpr (requires { work_.sql; }) return work_.sql;
    return {};
  }

 private:
  void run(Connection& connection) override {
    if constexpr (std::is_void_v<result_type>) {
      work_(connection);
    } else {
      result_.emplace(work_(connection));
    }
  }

  Work& work_;
  std::optional<std::conditional_t<std::is_void_v<result_type>, std::monostate, result_type>> result_;
};

/// Runs the operation on the calling thread if that is asked for and possible at once; true when it is done.
bool run_inline(const std::shared_ptr<PoolCore>& core, Operation& operation);
inline bool run_inline(const LeaseRef&, Operation&) noexcept {
  return false;
}
/// Hands the operation to its lane; it is resumed when done, from within this call at the earliest.
void submit(const std::shared_ptr<PoolCore>& core, Operation& operation);
void submit(const LeaseRef& lease, Operation& operation);

/// The one coroutine behind all verbs. `Target` is a shared_ptr<PoolCore> or a LeaseRef.
template <class Target, class Work>
asio::awaitable<std::invoke_result_t<Work&, Connection&>> perform(Target target, Request request, Work work) {
  Job<Work> job(request, work);
  if (run_inline(target, job)) co_return job.take();
  auto start = [&] { submit(target, job); };
  co_await suspend(job, start);
  co_return job.take();
}

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

/// Work of the statement verbs: owns the text and the values.
template <class Verb, class... Args>
struct StatementWork {
  SqlText sql;
  std::tuple<Args...> args;

  auto operator()(Connection& connection) {
    return std::apply([&](const Args&... values) { return Verb()(connection, sql, values...); }, args);
  }
};

/// Takes ownership of what the call expression only lends.
template <class Verb, class... Args>
auto make_statement(std::string_view sql, Args&&... args) {
  using Owned = std::tuple<decltype(to_owned(std::forward<Args>(args)))...>;
  return StatementWork<Verb, decltype(to_owned(std::forward<Args>(args)))...>{
      SqlText(sql), Owned(to_owned(std::forward<Args>(args))...)};
}

struct Execute {
  template <class... Args>
  ExecuteResult operator()(Connection& connection, std::string_view sql, const Args&... args) const {
    return connection.execute(sql, args...);
  }
};
template <class T>
struct QueryAll {
  template <class... Args>
  std::vector<T> operator()(Connection& connection, std::string_view sql, const Args&... args) const {
    return connection.query_all<T>(sql, args...);
  }
};
template <class T>
struct QueryOptional {
  template <class... Args>
  std::optional<T> operator()(Connection& connection, std::string_view sql, const Args&... args) const {
    return connection.query_optional<T>(sql, args...);
  }
};
template <class T>
struct QueryOne {
  template <class... Args>
  T operator()(Connection& connection, std::string_view sql, const Args&... args) const {
    return connection.query_one<T>(sql, args...);
  }
};

/// GCC 12 destroys some temporaries in a `co_await` expression twice, among them lambdas that capture a non-trivial
/// value. Such a closure must be a named object, passed as an lvalue, or capture by reference.
template <class F>
constexpr void check_closure() {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
  static_assert(std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<std::remove_cvref_t<F>>,
                "GCC 12 would destroy this temporary closure twice in a co_await expression: name the lambda and pass "
                "it as an lvalue, or capture by reference");
#endif
}

}  // namespace statehouse::detail
