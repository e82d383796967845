#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "statehouse/bind.hpp"
#include "statehouse/detail/savepoint_scope.hpp"
#include "statehouse/detail/statement.hpp"
#include "statehouse/error.hpp"
#include "statehouse/execute_result.hpp"
#include "statehouse/operation_verb.hpp"
#include "statehouse/options.hpp"
#include "statehouse/row.hpp"

/// What each statement verb does on a connection, what it is called, which connection it needs, and whether
/// it may share a transaction with others.
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
  T row() {
    return read_row<T>(*statement_);
  }
  /// The present row, which must be the last.
  template <class T>
  T only_row() {
    T row = read_row<T>(*statement_);
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

struct Execute {
  static constexpr operation_verb verb = operation_verb::execute;
  static constexpr connection_role role = connection_role::writer;
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
  static constexpr bool may_share = true;

  template <class... Args>
  static std::vector<T> run(Session& session, std::string_view sql, const Args&... args) {
    Query query(session, sql, args...);
    std::vector<T> rows;
    while (query.step()) rows.push_back(query.row<T>());
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
  static constexpr bool may_share = true;

  template <class... Args>
  static std::optional<T> run(Session& session, std::string_view sql, const Args&... args) {
    Query query(session, sql, args...);
    std::optional<T> row;
    if (query.step()) row.emplace(query.only_row<T>());
    query.keep();
    return row;
  }
};

template <class T>
struct QueryOne {
  static constexpr operation_verb verb = operation_verb::query_one;
  static constexpr connection_role role = connection_role::reader;
  static constexpr bool may_share = true;

  template <class... Args>
  static T run(Session& session, std::string_view sql, const Args&... args) {
    Query query(session, sql, args...);
    if (!query.step()) query.fail(errc::no_row, "the query found no row: use query_optional if that can happen");
    T row = query.only_row<T>();
    query.keep();
    return row;
  }
};

}  // namespace statehouse::detail
#pragma GCC visibility pop
