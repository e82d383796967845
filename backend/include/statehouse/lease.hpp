#pragma once

#include "statehouse/detail/operation.hpp"

namespace statehouse {

namespace asio = boost::asio;

/// The text of one statement and where it was written down. Made implicitly from whatever converts to
/// `std::string_view`; the text is copied before the verb returns.
struct Sql {
  template <class Text>
  requires std::convertible_to<const Text&, std::string_view>
  // NOLINTNEXTLINE(google-explicit-constructor): a call reads `execute("DELETE FROM t")`
  constexpr Sql(const Text& sql, std::source_location here = std::source_location::current()) noexcept
      : text(sql), where(here) {}

  std::string_view text;
  std::source_location where;
};

struct reader_t {};
struct writer_t {};
/// Which kind of connection `Pool::acquire` is to give.
inline constexpr reader_t reader{};
inline constexpr writer_t writer{};

/// A connection held exclusively across `co_await`s, in no transaction. Returned when destroyed; whatever is still open
/// is rolled back before the next user. Prefer `read`, `write` and `begin`: a held connection is one that others wait
/// for.
///
/// Thread-safety: one operation at a time, a second one is `errc::operation_in_progress`. Executor, cancellation and
/// errors as in Pool; `errc::transaction_finished` after it was released or moved from, `errc::closed` after shutdown
/// took the connection back. Lifetime: may outlive the pool handle it came from.
class ReaderLease {
 public:
  explicit ReaderLease(detail::LeaseHandle handle) noexcept : handle_(std::move(handle)) {}

  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> query_all(Sql sql, Args&&... args) {
    return statement<detail::QueryAll<T>>(connection_role::reader, "query_all", sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<std::optional<T>> query_optional(Sql sql, Args&&... args) {
    return statement<detail::QueryOptional<T>>(connection_role::reader, "query_optional", sql,
                                               std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<T> query_one(Sql sql, Args&&... args) {
    return statement<detail::QueryOne<T>>(connection_role::reader, "query_one", sql, std::forward<Args>(args)...);
  }
  /// `f(Reader&)` in one snapshot.
  template <std::invocable<Reader&> F>
  auto read(F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) {
    return closure(std::forward<F>(f),
                   {connection_role::reader, detail::run_mode::transaction, "read", where, options});
  }

  /// Gives the connection back now.
  void release() noexcept { handle_.reset(); }

 protected:
  template <class Verb, class... Args>
  auto statement(connection_role role, const char* verb, Sql sql, Args&&... args) {
    return detail::perform(handle_.ref(), detail::Request{role, detail::run_mode::statement, verb, sql.where},
                           detail::make_statement<Verb>(sql.text, std::forward<Args>(args)...));
  }
  template <class F>
  auto closure(F&& f, const detail::Request& request) {
    detail::check_closure<F>();
    return detail::perform(handle_.ref(), request, std::decay_t<F>(std::forward<F>(f)));
  }

 private:
  detail::LeaseHandle handle_;
};

/// A ReaderLease on the writer connection, which may also write.
class WriterLease : public ReaderLease {
 public:
  using ReaderLease::ReaderLease;

  template <Bindable... Args>
  asio::awaitable<ExecuteResult> execute(Sql sql, Args&&... args) {
    return statement<detail::Execute>(connection_role::writer, "execute", sql, std::forward<Args>(args)...);
  }
  template <Row T, Bindable... Args>
  asio::awaitable<std::vector<T>> execute_returning(Sql sql, Args&&... args) {
    return statement<detail::QueryAll<T>>(connection_role::writer, "execute_returning", sql,
                                          std::forward<Args>(args)...);
  }
  /// `f(Connection&)` inside BEGIN IMMEDIATE.
  template <std::invocable<Connection&> F>
  auto write(F&& f, CallOptions options = {}, std::source_location where = std::source_location::current()) {
    return closure(std::forward<F>(f),
                   {connection_role::writer, detail::run_mode::transaction, "write", where, options});
  }
};

}  // namespace statehouse
