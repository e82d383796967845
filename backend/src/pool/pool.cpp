#include "statehouse/pool.hpp"

#include "engine/connection_access.hpp"
#include "pool/pool_access.hpp"
#include "pool/pool_core.hpp"

namespace statehouse {
namespace {

constexpr const char* empty_handle = " on an empty pool handle: take one from get_pool";

/// An operation that does nothing of its own: what counts is what surrounds it, and the lease that comes with it.
template <class Handle>
asio::awaitable<Handle> hold(std::shared_ptr<detail::PoolCore> core, detail::Request request) {
  auto nothing = [](Connection&) {};
  detail::CallOperation<decltype(nothing)> operation(request, nothing);
  auto start = [&] { detail::submit(core, operation); };
  co_await detail::suspend(operation, start);
  operation.take();
  co_return detail::PoolAccess::make<Handle>(operation.take_lease());
}

/// The last operation of a lease.
asio::awaitable<void> end(detail::LeaseHandle lease, detail::Request request, void (*finish)(Connection&)) {
  detail::CallOperation<void (*)(Connection&)> operation(request, finish);
  auto start = [&] { detail::submit(lease.ref(), operation); };
  co_await detail::suspend(operation, start);
  operation.take();
}

void commit_on(Connection& connection) {
  detail::session_of(connection).commit();
}

void roll_back_on(Connection& connection) {
  detail::Session& session = detail::session_of(connection);
  if (session.rollback()) return;
  const detail::LastError& error = session.last_error();
  throw Error(make_sqlite_error(error.code), error.text, {session.database(), "ROLLBACK"});
}

}  // namespace

namespace detail {

bool run_inline(const std::shared_ptr<PoolCore>& core, Operation& operation) {
  return core != nullptr && operation.request().may_run_inline(core->config().options->inline_reads) &&
         core->run_inline(operation);
}

void submit(const std::shared_ptr<PoolCore>& core, Operation& operation) {
  if (core != nullptr) return core->submit(operation);
  operation.refuse(std::make_exception_ptr(
      Error(errc::invalid_handle, std::string(to_string(operation.request().verb)) + empty_handle)));
}

}  // namespace detail

asio::awaitable<Transaction> Pool::begin(CallOptions options, std::source_location where) const {
  return hold<Transaction>(core_,
                           {connection_role::writer, detail::kinds::begin, operation_verb::begin, where, options});
}

asio::awaitable<ReaderLease> Pool::acquire(reader_t, CallOptions options, std::source_location where) const {
  return hold<ReaderLease>(core_,
                           {connection_role::reader, detail::kinds::acquire, operation_verb::acquire, where, options});
}

asio::awaitable<WriterLease> Pool::acquire(writer_t, CallOptions options, std::source_location where) const {
  return hold<WriterLease>(core_,
                           {connection_role::writer, detail::kinds::acquire, operation_verb::acquire, where, options});
}

detail::PoolCore& Pool::core() const {
  if (core_ == nullptr) throw Error(errc::invalid_handle, std::string("called") + empty_handle);
  return *core_;
}

DatabaseStats Pool::stats() const {
  return core().stats();
}
const std::string& Pool::name() const {
  return core().config().name;
}
std::filesystem::path Pool::path() const {
  return core().config().path;
}

asio::awaitable<void> Transaction::commit(std::source_location where) && {
  return end(std::move(handle_), {connection_role::writer, detail::kinds::end, operation_verb::commit, where},
             commit_on);
}

asio::awaitable<void> Transaction::rollback(std::source_location where) && {
  return end(std::move(handle_), {connection_role::writer, detail::kinds::end, operation_verb::rollback, where},
             roll_back_on);
}

}  // namespace statehouse
