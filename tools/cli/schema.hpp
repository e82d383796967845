#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "statehouse/connection.hpp"

namespace statehouse::cli {

/// A table, index, view or trigger.
struct SchemaObject {
  std::string type;
  std::string name;
  std::string table;  ///< That it belongs to; of a table itself.
  std::string sql;    ///< As SQLite keeps it.
};

/// All but what SQLite or a virtual table makes for itself and the table `bookkeeping`; tables, then indexes, views and
/// triggers, by name, so that the same schema is the same list however it came about.
std::vector<SchemaObject> schema_of(Connection& connection, std::string_view bookkeeping);

/// The statement that makes an object, without comments, quotes that are not needed, and differences of blanks and
/// case: what ALTER TABLE and a rebuild leave is then as if it had been written so.
std::string normalized(std::string_view sql);

/// With a semicolon behind it that no comment swallows.
std::string terminated(std::string_view sql);

/// What has to be done to `other` to be like `wanted`, a phrase each: "table 'a' is missing".
std::vector<std::string> differences(const std::vector<SchemaObject>& wanted, const std::vector<SchemaObject>& other);

}  // namespace statehouse::cli
