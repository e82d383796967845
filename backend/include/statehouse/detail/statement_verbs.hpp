#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "statehouse/bind.hpp"
#include "statehouse/detail/statement.hpp"
#include "statehouse/error.hpp"
#include "statehouse/execute_result.hpp"
#include "statehouse/options.hpp"
#include "statehouse/row.hpp"

/// What each statement verb does on a connection, what it is called in messages, which connection it needs, and whether
/// it may share a transaction with others.
namespace statehouse::detail {

template <class... Args>
StatementPtr prepare_bound(Session& session, std::string_view sql, const Args&... args) {
  StatementPtr statement = prepare(session, sql);
  bind_all(*statement, args...);
  return statement;
}

template <class T>
T last_row(Statement& statement) {
  T row = read_row<T>(statement);
  if (statement.step()) statement.fail(errc::too_many_rows, "the query found more than one row: use query_all");
  return row;
}

struct Execute {
  static constexpr const char* name = "execute";
  static constexpr connection_role role = connection_role::writer;
  static constexpr bool may_share = true;

  template <class... Args>
  static ExecuteResult run(Session& session, std::string_view sql, const Args&... args) {
    return prepare_bound(session, sql, args...)->run();
  }
};

template <class T>
struct QueryAll {
  static constexpr const char* name = "query_all";
  static constexpr connection_role role = connection_role::reader;
  static constexpr bool may_share = true;

  template <class... Args>
  static std::vector<T> run(Session& session, std::string_view sql, const Args&... args) {
    const StatementPtr statement = prepare_bound(session, sql, args...);
    std::vector<T> rows;
    while (statement->step()) rows.push_back(read_row<T>(*statement));
    return rows;
  }
};

/// Not shared: the statement is undone when a row of it cannot be read.
template <class T>
struct ExecuteReturning : QueryAll<T> {
  static constexpr const char* name = "execute_returning";
  static constexpr connection_role role = connection_role::writer;
  static constexpr bool may_share = false;
};

template <class T>
struct QueryOptional {
  static constexpr const char* name = "query_optional";
  static constexpr connection_role role = connection_role::reader;
  static constexpr bool may_share = true;

  template <class... Args>
  static std::optional<T> run(Session& session, std::string_view sql, const Args&... args) {
    const StatementPtr statement = prepare_bound(session, sql, args...);
    if (!statement->step()) return std::nullopt;
    return last_row<T>(*statement);
  }
};

template <class T>
struct QueryOne {
  static constexpr const char* name = "query_one";
  static constexpr connection_role role = connection_role::reader;
  static constexpr bool may_share = true;

  template <class... Args>
  static T run(Session& session, std::string_view sql, const Args&... args) {
    const StatementPtr statement = prepare_bound(session, sql, args...);
    if (!statement->step())
      statement->fail(errc::no_row, "the query found no row: use query_optional if that can happen");
    return last_row<T>(*statement);
  }
};

}  // namespace statehouse::detail
