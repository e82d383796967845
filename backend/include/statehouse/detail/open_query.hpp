#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "statehouse/detail/statement.hpp"

#pragma GCC visibility push(default)
namespace statehouse::detail {

/// A statement that reads, whose rows are handed over one by one while other statements may run on its connection. One
/// that writes is refused with `errc::write_on_reader`: what others write between its rows would be committed, or lost,
/// together with it.
class OpenQuery {
 public:
  OpenQuery(Session& session, StatementPtr statement);
  ~OpenQuery();
  OpenQuery(const OpenQuery&) = delete;
  OpenQuery& operator=(const OpenQuery&) = delete;

  /// True when there is a row. Throws Error, also when the operation is to stop, which SQLite would not notice as long
  /// as each row is near, and when the transaction is gone.
  bool step();
  /// Throws Error when SQLite has rolled back the transaction that this runs in.
  void require_transaction() const;
  Statement& statement() const noexcept { return *statement_; }

 private:
  void hand_over(bool row) noexcept;

  Session& session_;
  const StatementPtr statement_;
  bool between_rows_ = false;
};

/// What a stream reads: its text and values, and what becomes of a row.
class StreamSource {
 public:
  StreamSource() = default;
  virtual ~StreamSource() = default;
  StreamSource(const StreamSource&) = delete;
  StreamSource& operator=(const StreamSource&) = delete;

  virtual std::string_view sql() const noexcept = 0;
  virtual StatementPtr prepare(Session& session) = 0;
  virtual void take_row(Statement& statement) = 0;
};

/// The query of a stream, which stays open between the operations on its lease. Kept by the session, see
/// `Session::keep`.
class KeptQuery {
 public:
  KeptQuery(Session& session, std::unique_ptr<StreamSource> source);
  /// Takes rows until a batch is full; false at the end.
  bool read_batch();

 private:
  const std::unique_ptr<StreamSource> source_;  // whose values the statement has borrowed
  OpenQuery query_;
};

}  // namespace statehouse::detail
#pragma GCC visibility pop
