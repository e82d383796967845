#include "statehouse/stream.hpp"

#include <atomic>

#include "engine/connection_access.hpp"
#include "pool/pool_core.hpp"
#include "statehouse/pool.hpp"

namespace statehouse::detail {

/// What a RowStream and the `next` that is awaited have in common. The lease is a transaction that reads, so between
/// two operations on it the connection is left as it is, with the query that the session keeps.
class Stream {
 public:
  Stream(std::shared_ptr<PoolCore> core, const CallOptions& options, std::source_location where,
         std::unique_ptr<StreamSource> source)
      : core_(std::move(core)), options_(options), where_(where), source_(std::move(source)), sql_(source_->sql()) {}

  void begin_turn() {
    if (taken_.exchange(true)) throw Error(errc::operation_in_progress, "the stream already reads: await it first");
  }
  void end_turn() noexcept { taken_ = false; }
  /// In a turn.
  asio::awaitable<void> read_on();

 private:
  /// What runs on a database thread.
  struct Read {
    Stream& stream;
    std::string_view sql;
    void operator()(Connection& connection) { stream.read(session_of(connection)); }
  };

  void read(Session& session);
  void start(Operation& operation);
  void finish(Operation& operation);

  const std::shared_ptr<PoolCore> core_;
  const CallOptions options_;
  const std::source_location where_;
  std::unique_ptr<StreamSource> source_;  // until it is the session's
  const SqlText sql_;
  std::atomic<bool> taken_{false};
  LeaseHandle lease_;           // from the first rows on
  KeptQuery* query_ = nullptr;  // good for what runs on the lease
  bool at_end_ = false;
  std::exception_ptr error_;
};

/// Where there is nothing more to read, by whatever reason, the snapshot is over before the caller hears of it.
void Stream::read(Session& session) {
  try {
    if (query_ == nullptr) query_ = &session.keep(std::move(source_));
    at_end_ = !query_->read_batch();
  } catch (...) {
    session.let_go();
    session.rollback();  // where there was no query yet
    throw;
  }
  if (at_end_) session.let_go();
}

void Stream::start(Operation& operation) {
  lease_ ? submit(lease_.ref(), operation) : submit(core_, operation);
}

void Stream::finish(Operation& operation) {
  if (!lease_) lease_ = operation.take_lease();
  error_ = operation.error();
  // What was to stop it came too late for these rows, which perhaps nobody looks at any more.
  if (error_ == nullptr && operation.cancelled)
    error_ = std::make_exception_ptr(
        Error(code_of(stop_reason::cancelled), "the stream was cancelled", {core_->config().name, shorten(sql_)}));
  if (error_ != nullptr || at_end_) lease_.reset();
  if (error_ != nullptr) std::rethrow_exception(error_);
}

asio::awaitable<void> Stream::read_on() {
  if (error_ != nullptr) std::rethrow_exception(error_);
  if (at_end_) co_return;
  const Request request{connection_role::reader, lease_ ? kinds::in_transaction : kinds::begin, operation_verb::stream,
                        where_, options_};
  Read read{*this, sql_};
  CallOperation<Read> operation(request, read);
  auto begin = [&] { start(operation); };
  co_await suspend(operation, begin);
  finish(operation);
}

std::shared_ptr<Stream> make_stream(std::shared_ptr<PoolCore> core, const CallOptions& options,
                                    std::source_location where, std::unique_ptr<StreamSource> source) {
  return std::make_shared<Stream>(std::move(core), options, where, std::move(source));
}

StreamTurn::StreamTurn(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {
  if (stream_ == nullptr) throw Error(errc::invalid_handle, "next of an empty stream: take one from Pool::stream");
  stream_->begin_turn();
}

StreamTurn::~StreamTurn() {
  stream_->end_turn();
}

asio::awaitable<void> StreamTurn::read_on() {
  return stream_->read_on();
}

}  // namespace statehouse::detail
