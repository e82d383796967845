#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diagnostic.hpp"
#include "sql_tokens.hpp"

namespace statehouse::queries {

enum class query_kind { one, optional, many, execute, returning };

/// As in the file: "many".
std::string_view name_of(query_kind kind);

/// A statement with its name. Views are of the QueryFile's text.
struct Query {
  std::string name;
  query_kind kind = query_kind::many;
  std::vector<std::string> remarks;  ///< The comments between the name and the statement.
  std::size_t name_offset = 0;       ///< Of the name in the file.
  std::size_t offset = 0;            ///< Of `sql` in the file.
  std::string_view sql;              ///< From the first token to the end of the last.
  std::vector<SqlToken> tokens;      ///< Of `sql`, without comments; offsets are in the file.

  /// The statement in one line, without comments.
  std::string in_one_line() const;
};

/// What follows `-- name:`.
struct NameLine {
  std::string_view name;
  std::string_view kind;
};

/// A function that the program registers itself.
struct DeclaredFunction {
  std::string name;
  int arguments = -1;  ///< -1 is any number.
};

/// What is said at the top, before the first name.
struct QuerySettings {
  std::vector<DeclaredFunction> functions;
  std::map<std::string, std::int64_t> rows;  ///< About how many a table has; by its name in small letters.
  std::map<std::string, std::string> types;  ///< C++ for "table.column" or a declared type, in small letters.
  std::vector<std::string> includes;         ///< With their quotes or brackets.
};

/// A file of queries, read but not compared with a schema.
class QueryFile {
 public:
  /// Understands `text`, which is of `path`; what is wrong is told to `found`.
  QueryFile(std::string path, std::string text, Diagnostics& found);
  QueryFile(const QueryFile&) = delete;
  QueryFile& operator=(const QueryFile&) = delete;

  const std::string& path() const { return path_; }
  const QuerySettings& settings() const { return settings_; }
  const std::vector<Query>& queries() const { return queries_; }

  /// Line and column of a byte.
  Diagnostic at(std::size_t offset, std::string message, severity weight = severity::error) const;

 private:
  void read(const SqlToken& token, Diagnostics& found);
  void begin_query(const SqlToken& comment, const NameLine& line, Diagnostics& found);
  void take_setting(const SqlToken& comment, Diagnostics& found);
  void finish_query(Query& query, Diagnostics& found) const;
  bool begins_line(const SqlToken& token) const;

  const std::string path_;
  const std::string text_;
  QuerySettings settings_;
  std::vector<Query> queries_;
  bool told_of_nameless_ = false;
};

}  // namespace statehouse::queries
