#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "statehouse/detail/open_query.hpp"
#include "statehouse/detail/operation.hpp"
#include "statehouse/detail/statement_verbs.hpp"
#include "statehouse/options.hpp"
#include "statehouse/row.hpp"
#include "statehouse/verbs.hpp"

namespace statehouse {

namespace asio = boost::asio;

namespace detail {

class PoolCore;
class Stream;
#pragma GCC visibility push(default)

std::shared_ptr<Stream> make_stream(std::shared_ptr<PoolCore> core, const CallOptions& options,
                                    std::source_location where, std::unique_ptr<StreamSource> source);

/// Of one `next`: from before its rows are read until they are taken from the source, and the stream is no other's.
class StreamTurn {
 public:
  /// Of no stream: `errc::invalid_handle`; of one that has a turn: `errc::operation_in_progress`.
  explicit StreamTurn(std::shared_ptr<Stream> stream);
  ~StreamTurn();
  StreamTurn(const StreamTurn&) = delete;
  StreamTurn& operator=(const StreamTurn&) = delete;

  /// Has the source take the next rows; none at the end.
  asio::awaitable<void> read_on();

 private:
  const std::shared_ptr<Stream> stream_;
};

/// Reads rows into a vector, whoever has it.
template <class T, class... Args>
class RowSource final : public StreamSource {
 public:
  using Rows = std::vector<row_type_t<T>>;
  using Values = std::tuple<Args...>;

  RowSource(std::shared_ptr<Rows> rows, std::string_view sql, Values values)
      : rows_(std::move(rows)), sql_(sql), values_(std::move(values)) {}

  std::string_view sql() const noexcept override { return sql_; }
  StatementPtr prepare(Session& session) override {
    return std::apply([&](const Args&... values) { return prepare_bound(session, sql_, values...); }, values_);
  }
  void take_row(Statement& statement) override { rows_->push_back(reader_.read(statement)); }

 private:
  const std::shared_ptr<Rows> rows_;
  const SqlText sql_;
  const Values values_;
  RowReader<T> reader_;
};

}  // namespace detail

class Pool;

/// The rows of one query, a batch at a time, from `Pool::stream`:
///
///     statehouse::RowStream<Line> lines = pool.stream<Line>("SELECT number, text FROM line ORDER BY number");
///     while (auto batch = co_await lines.next())
///       for (const Line& line : *batch) ...
///
/// Effect: the first `next` waits for a reader, opens a snapshot there, and runs the statement; each reads on in it, up
/// to 1000 rows, or until their texts and blobs make 256 KiB, the row that does so being the last. All are of that one
/// snapshot, and no more than one batch is in memory. The reader is held until the end was reached, the stream has
/// failed, or it is destroyed or assigned to; in `pool_mode::single`, and for a database in memory, that is the only
/// connection, for which everybody else waits meanwhile. The log cannot be cut as long as the snapshot is open: who
/// holds it for longer than `PoolOptions::long_lease`, or makes the log too long, is named in the log of the service.
/// Thread-safety: one `next` at a time, a second one is `errc::operation_in_progress`.
/// Executor: as Pool. Cancellation: as a query of a Pool, and it ends the stream.
/// Errors: as a query of a Pool. A statement that writes is `errc::write_on_reader`. After a `next` that has failed or
/// was cancelled all others fail with the same error; `errc::invalid_handle` on a stream that was default-constructed
/// or moved from, `errc::closed` after shutdown took the connection back. Lifetime: text and values are copied; may
/// outlive the pool handle. It may be destroyed while a `next` is awaited, which then completes. On a cluster the first
/// `next` waits for all rows of the statement, which are in memory until the end.
template <Row T>
class RowStream {
 public:
  using row_type = detail::row_type_t<T>;  ///< `T`, or what `by_name` names.

  /// An empty stream, to be assigned to.
  RowStream() = default;
  RowStream(RowStream&&) noexcept = default;             ///< What it was made from is empty.
  RowStream& operator=(RowStream&&) noexcept = default;  ///< The same; its own snapshot is let go.

  /// The next rows, at least one; nothing at the end, as often as it is asked.
  asio::awaitable<std::optional<std::vector<row_type>>> next() & { return next_of(stream_, rows_); }
  /// Of a temporary, which would give the first rows again and again: give it a name.
  asio::awaitable<std::optional<std::vector<row_type>>> next() && = delete;

 private:
  friend Pool;
  using Rows = std::vector<row_type>;

  template <class... Args>
  RowStream(const std::shared_ptr<detail::PoolCore>& core, const CallOptions& options, Sql sql, Args&&... args)
      : rows_(std::make_shared<Rows>()) {
    using Source = detail::RowSource<T, decltype(detail::to_owned(std::forward<Args>(args)))...>;
    stream_ = detail::make_stream(
        core, options, sql.where,
        std::make_unique<Source>(rows_, sql.text,
                                 typename Source::Values(detail::to_owned(std::forward<Args>(args))...)));
  }

  static asio::awaitable<std::optional<Rows>> next_of(std::shared_ptr<detail::Stream> stream,
                                                      std::shared_ptr<Rows> rows) {
    detail::StreamTurn turn(std::move(stream));
    co_await turn.read_on();
    std::optional<Rows> batch;
    if (!rows->empty()) batch.emplace(std::exchange(*rows, {}));
    co_return batch;
  }

  std::shared_ptr<detail::Stream> stream_;
  std::shared_ptr<Rows> rows_;
};

}  // namespace statehouse
#pragma GCC visibility pop
