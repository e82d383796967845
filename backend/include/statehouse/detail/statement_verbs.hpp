#pragma once

#include <cstddef>
#include <optional>
#include <ranges>
#include <string_view>
#include <vector>

#include "statehouse/bind.hpp"
#include "statehouse/detail/rows_in.hpp"
#include "statehouse/detail/savepoint_scope.hpp"
#include "statehouse/detail/statement.hpp"
#include "statehouse/error.hpp"
#include "statehouse/execute_result.hpp"
#include "statehouse/operation_verb.hpp"
#include "statehouse/options.hpp"
#include "statehouse/row.hpp"

/// What each statement verb does on a connection, what it is called, which connection it needs, whether it needs a
/// transaction around it, and whether it may share one with others.
#pragma GCC visibility push(default)
namespace statehouse::detail {

template <class... Args>
StatementPtr prepare_bound(Session& session, std::string_view sql, const Args&... args) {
  StatementPtr statement = prepare(session, sql);
  bind_all(*statement, args...);
  return statement;
}

/// A statement whose rows are the caller's result. Until `keep` says that they could be given, what it changes is
/// undone when this goes: an error must mean that nothing of it is kept, also in a transaction that goes on. SQLite has
/// done all of it by the first row. Outside of a transaction the statement undoes itself when it is given back.
class Query {
 public:
  template <class... Args>
  Query(Session& session, std::string_view sql, const Args&... args)
      : statement_(prepare_bound(session, sql, args...)) {
    if (changes_transaction(session, *statement_)) undo_.emplace(session);
  }

  bool step() { return statement_->step(); }
  template <class T>
  row_type_t<T> row(RowReader<T>& reader) {
    return reader.read(*statement_);
  }
  /// The present row, which must be the last.
  template <class T>
  row_type_t<T> only_row() {
    row_type_t<T> row = RowReader<T>().read(*statement_);
    if (step()) fail(errc::too_many_rows, "the query found more than one row: use query_all");
    return row;
  }
  [[noreturn]] void fail(errc code, const char* message) const { statement_->fail(code, message); }
  /// All rows have been read.
  void keep() {
    if (undo_) undo_->release();
  }

 private:
  std::optional<SavepointScope> undo_;  // goes last: a savepoint cannot be rolled back to while the statement runs
  const StatementPtr statement_;
};

/// Throws `error`, which names the row then.
[[noreturn]] void fail_at_row(const Error& error, std::size_t row);

/// Each with all of its rows, or nothing of it: a savepoint in whatever is open, and what a pool and a lease open for
/// it is a transaction.
struct ExecuteMany {
  static constexpr operation_verb verb = operation_verb::execute_many;
  static constexpr connection_role role = connection_role::writer;
  static constexpr bool has_transaction = true;
  static constexpr bool may_share = true;

  template <class Rows>
  static ExecuteResult run(Session& session, std::string_view sql, const Rows& rows) {
    SavepointScope undo(session);
    const ExecuteResult all = run_each(*prepare(session, sql), rows);
    undo.release();
    return all;
  }

 private:
  template <class Rows>
  static ExecuteResult run_each(Statement& statement, const Rows& rows) {
    ExecuteResult all;
    std::size_t count = 0;
    for (const std::ranges::range_value_t<const Rows>& row : rows) {
      try {
        statement.reset();
        bind_row(statement, row);
        const ExecuteResult one = statement.run();
        all.changes += one.changes;
        if (one.last_insert_rowid != 0) all.last_insert_rowid = one.last_insert_rowid;
      } catch (const Error& error) {
        fail_at_row(error, count);
      }
      ++count;
    }
    return all;
  }
};

struct Execute {
  static constexpr operation_verb verb = operation_verb::execute;
  static constexpr connection_role role = connection_role::writer;
  static constexpr bool has_transaction = false;
  static constexpr bool may_share = true;

  template <class... Args>
  static ExecuteResult run(Session& session, std::string_view sql, const Args&... args) {
    return prepare_bound(session, sql, args...)->run();
  }
};

template <class T>
struct QueryAll {
  static constexpr operation_verb verb = operation_verb::query_all;
  static constexpr connection_role role = connection_role::reader;
  static constexpr bool has_transaction = false;
  static constexpr bool may_share = true;

  template <class... Args>
  static std::vector<row_type_t<T>> run(Session& session, std::string_view sql, const Args&... args) {
    Query query(session, sql, args...);
    RowReader<T> reader;
    std::vector<row_type_t<T>> rows;
    while (query.step()) rows.push_back(query.row(reader));
    query.keep();
    return rows;
  }
};

/// Not shared: it is undone alone when a row of it cannot be read, which outside of a transaction costs nothing.
template <class T>
struct ExecuteReturning : QueryAll<T> {
  static constexpr operation_verb verb = operation_verb::execute_returning;
  static constexpr connection_role role = connection_role::writer;
  static constexpr bool may_share = false;
};

template <class T>
struct QueryOptional {
  static constexpr operation_verb verb = operation_verb::query_optional;
  static constexpr connection_role role = connection_role::reader;
  static constexpr bool has_transaction = false;
  static constexpr bool may_share = true;

  template <class... Args>
  static std::optional<row_type_t<T>> run(Session& session, std::string_view sql, const Args&... args) {
    Query query(session, sql, args...);
    std::optional<row_type_t<T>> row;
    if (query.step()) row.emplace(query.only_row<T>());
    query.keep();
    return row;
  }
};

template <class T>
struct QueryOne {
  static constexpr operation_verb verb = operation_verb::query_one;
  static constexpr connection_role role = connection_role::reader;
  static constexpr bool has_transaction = false;
  static constexpr bool may_share = true;

  template <class... Args>
  static row_type_t<T> run(Session& session, std::string_view sql, const Args&... args) {
    Query query(session, sql, args...);
    if (!query.step()) query.fail(errc::no_row, "the query found no row: use query_optional if that can happen");
    row_type_t<T> row = query.only_row<T>();
    query.keep();
    return row;
  }
};

}  // namespace statehouse::detail
#pragma GCC visibility pop
