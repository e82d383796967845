#include "statehouse/pool.hpp"

#include "pool/pool_core.hpp"

namespace statehouse {
namespace {

/// An operation without work of its own: what counts is what its mode does, and the lease that comes with it.
class LeaseOperation final : public detail::Operation {
 public:
  using Operation::Operation;

 private:
  void run(Connection&) override {}
};

template <class Holder>
asio::awaitable<Holder> hold(std::shared_ptr<detail::PoolCore> core, detail::Request request) {
  LeaseOperation operation(request);
  auto start = [&] { detail::submit(core, operation); };
  co_await detail::suspend(operation, start);
  operation.throw_if_failed();
  co_return Holder(operation.take_lease());
}

asio::awaitable<void> end(detail::LeaseHandle lease, detail::Request request) {
  LeaseOperation operation(request);
  auto start = [&] { detail::submit(lease.ref(), operation); };
  co_await detail::suspend(operation, start);
  operation.throw_if_failed();
}

}  // namespace

asio::awaitable<Transaction> Pool::begin(CallOptions options, std::source_location where) const {
  return hold<Transaction>(core_, {connection_role::writer, detail::run_mode::begin, "begin", where, options});
}

asio::awaitable<ReaderLease> Pool::acquire(reader_t, CallOptions options, std::source_location where) const {
  return hold<ReaderLease>(core_, {connection_role::reader, detail::run_mode::acquire, "acquire", where, options});
}

asio::awaitable<WriterLease> Pool::acquire(writer_t, CallOptions options, std::source_location where) const {
  return hold<WriterLease>(core_, {connection_role::writer, detail::run_mode::acquire, "acquire", where, options});
}

DatabaseStats Pool::stats() const {
  return core_->stats();
}
const std::string& Pool::name() const noexcept {
  return core_->config().name;
}
const std::filesystem::path& Pool::path() const noexcept {
  return core_->config().path;
}

asio::awaitable<void> Transaction::commit(std::source_location where) && {
  return end(std::move(handle_), {connection_role::writer, detail::run_mode::commit, "commit", where});
}

asio::awaitable<void> Transaction::rollback(std::source_location where) && {
  return end(std::move(handle_), {connection_role::writer, detail::run_mode::rollback, "rollback", where});
}

}  // namespace statehouse
