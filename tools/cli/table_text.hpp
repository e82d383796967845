#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/connection.hpp"

namespace statehouse::cli {

/// A table of a database file, its rows written as SQL has them: "(1,'a',NULL)". The same rows give the same text, so
/// that two databases can be compared by it.
class TableText {
 public:
  TableText(Connection& database, std::string name);

  const std::string& name() const noexcept { return name_; }
  /// INSERT INTO ... VALUES, for rows to follow.
  std::string insert() const;
  /// Calls `take` with each row, in the order of the table.
  void for_each_row(Connection& database, const std::function<void(std::string_view row)>& take) const;
  /// Whether both have the same rows; false also where one of them has no such table.
  bool is_same(Connection& one, Connection& other) const;
  /// Throws Finding for a TEXT with a NUL byte, which a node would end there.
  void refuse_nul(Connection& database) const;

 private:
  std::string select() const;

  std::string name_;
  std::vector<std::string> columns_;  // quoted, the rowid among them where there is one; none that is computed
  std::string order_;                 // of the rows
};

/// "name", for SQL.
std::string name_in_sql(std::string_view name);

}  // namespace statehouse::cli
