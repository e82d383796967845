#pragma once

#include <optional>
#include <string>
#include <vector>

#include "text/sql_scanner.hpp"

namespace statehouse::detail {

/// A column that a node may die of when it is read.
struct UnsafeColumn {
  std::string name;
  std::string type;  ///< As declared.
};

/// The first column that CREATE TABLE or ALTER TABLE ADD declares as BOOLEAN, DATE, DATETIME or TIMESTAMP without a
/// CHECK that keeps out what a node cannot send as such: it aborts when it reads other values in them
/// (https://github.com/canonical/dqlite/issues/733), and sends NULL as false or as an empty text.
///
/// Enough of a CHECK is `typeof(c) IN ('integer', 'null')`, for the three of time also with 'text'. The record of
/// migrations, `_sqlx_migrations`, is not meant: what is in it we have written.
std::optional<UnsafeColumn> unsafe_column(const std::vector<SqlToken>& statement);

}  // namespace statehouse::detail
