#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/connection.hpp"

namespace statehouse::detail {

// What the schema and the rows of a database say of foreign keys, those of `main` alone: no others reach across files.

/// A foreign key, seen from the table it refers to.
struct Reference {
  std::string table;      ///< That refers.
  std::string on_delete;  ///< SQLite's word: CASCADE, SET NULL, ...
  std::string refers;     ///< The SQL condition that a row of `table` does refer.
};

/// By table; with those of `parent` to itself.
std::vector<Reference> references_to(Connection& connection, const std::string& parent);
bool has_references(Connection& connection, const std::string& table);

/// The tables that lose rows, or whose rows lose their references, when all rows of `parent` are deleted, which is
/// how DROP TABLE begins. `parent` is not among them.
std::vector<Reference> taken_with(Connection& connection, const std::string& parent);
/// Whether `on_delete` deletes the rows themselves.
bool takes_rows(const Reference& reference);
/// Whether the foreign key is of that column, among others.
bool names_column(const Reference& reference, std::string_view column);
/// How many there are to lose, now.
std::int64_t count_to_lose(Connection& connection, const Reference& reference);

/// The references of a database that lead nowhere.
class Violations {
 public:
  Violations() = default;
  /// Looks at every row of every table that refers to another one. A table whose foreign keys SQLite cannot make sense
  /// of is one.
  explicit Violations(Connection& connection);

  /// Those that are not among `earlier`. Rows are told apart by what they refer to, since a rebuilt table may number
  /// its rows anew.
  Violations without(const Violations& earlier) const;
  std::size_t count() const noexcept;
  /// The first few.
  std::string text() const;

 private:
  struct Alike {
    std::size_t count = 0;
    std::string text;  // of one of them
  };
  void read_table(Connection& connection, const std::string& table);

  std::map<std::string, Alike, std::less<>> violations_;  // by table and what is referred to
};

}  // namespace statehouse::detail
