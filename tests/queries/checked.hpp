#pragma once

#include <SQLiteCpp/Database.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "queries/check.hpp"
#include "queries/header.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {

/// A file of queries that was checked against a schema.
class Checked {
 public:
  Checked(std::string_view schema, std::string text)
      : file_("q.sql", std::move(text), found_), connection_(Connection::in_memory("in memory")) {
    queries::declare_functions(connection_.native().getHandle(), file_.settings());
    connection_.execute_script(schema);
    queries_ = queries::check_queries(connection_, file_, found_);
  }

  /// All that was found, one line each.
  std::string problems() const {
    std::string text;
    for (const auto& one : found_) text += one.text() + '\n';
    return text;
  }
  const queries::CheckedQuery& operator[](std::string_view name) const {
    for (const auto& query : queries_)
      if (query.query->name == name) return query;
    throw std::runtime_error("no query '" + std::string(name) + "': " + problems());
  }
  /// "std::int64_t id, std::optional<std::string> note"
  std::string columns(std::string_view name) const {
    std::string text;
    for (const auto& column : (*this)[name].columns)
      text += (text.empty() ? "" : ", ") + queries::field_type(column.cpp, column.nullable) + ' ' + column.name;
    return text;
  }
  /// The same of its parameters; "any" for what is not certain.
  std::string parameters(std::string_view name) const {
    std::string text;
    for (const auto& one : (*this)[name].parameters)
      text += (text.empty() ? "" : ", ") + (one.cpp.empty() ? "any" : queries::parameter_type(one.cpp, one.nullable)) +
              ' ' + one.name;
    return text;
  }
  std::string header() const { return queries::header_of("x", file_, queries_); }
  const std::vector<queries::CheckedQuery>& queries() const { return queries_; }
  const queries::QueryFile& file() const { return file_; }
  Connection& connection() { return connection_; }

 private:
  queries::Diagnostics found_;
  queries::QueryFile file_;
  Connection connection_;
  std::vector<queries::CheckedQuery> queries_;
};

constexpr std::string_view people =
    "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, born DATETIME, active BOOLEAN NOT "
    "NULL "
    "DEFAULT 1, score REAL, data BLOB, price NUMERIC, state INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX person_by_name ON person (name, score);"
    "CREATE TABLE pet (owner INTEGER NOT NULL REFERENCES person (id), name TEXT NOT NULL, kind, PRIMARY KEY (owner, "
    "name)) WITHOUT ROWID;"
    "CREATE TABLE strict (id INTEGER PRIMARY KEY, a INT NOT NULL, b ANY, c TEXT, v INT GENERATED ALWAYS AS (a + 1) "
    "VIRTUAL, w TEXT AS (c || 'x') STORED) STRICT;"
    "CREATE VIEW named AS SELECT id, name, note FROM person;"
    "CREATE VIRTUAL TABLE texts USING fts5(body);";

/// Of one query, which is called q.
inline std::string columns_of(const std::string& sql, const std::string& kind = ":many") {
  return Checked(people, "-- name: q " + kind + "\n" + sql).columns("q");
}
inline std::string parameters_of(const std::string& sql, const std::string& kind = ":many") {
  return Checked(people, "-- name: q " + kind + "\n" + sql).parameters("q");
}
inline std::string problems_of(const std::string& text) {
  return Checked(people, text).problems();
}

}  // namespace statehouse::test
