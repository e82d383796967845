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

/// The first column that CREATE TABLE or ALTER TABLE ADD declares as BOOLEAN, DATE, DATETIME or TIMESTAMP: a node
/// aborts when it reads values of other kinds under such a type (https://github.com/canonical/dqlite/issues/733), and
/// sends NULL as false or as an empty text.
///
/// No CHECK is enough to let one through, as the first SELECT of a compound gives its types to the values of all. The
/// record of migrations, `_sqlx_migrations`, is not meant: what is in it we have written, and see `mixes_record`.
std::optional<UnsafeColumn> unsafe_column(const std::vector<SqlToken>& statement);

/// Whether it names the record of migrations in a compound SELECT, which could put other values under its types, or in
/// a view, which would do so under another name.
bool mixes_record(const std::vector<SqlToken>& statement);

}  // namespace statehouse::detail
