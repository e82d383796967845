#pragma once

#include <string>
#include <vector>

#include "machine.hpp"
#include "query_file.hpp"
#include "schema.hpp"

struct sqlite3;

namespace statehouse {
class Connection;
}

namespace statehouse::queries {

struct CheckedParameter {
  std::string name;       ///< Without its colon.
  std::string cpp;        ///< Empty: any that is Bindable.
  bool nullable = false;  ///< Of `cpp`.
};

struct CheckedColumn {
  std::string name;  ///< Of the field; empty where the only column has no name that could be one.
  std::string cpp;
  bool nullable = false;
};

/// A query that fits.
struct CheckedQuery {
  const Query* query = nullptr;
  std::vector<CheckedParameter> parameters;  ///< In the order in which SQLite numbers them.
  std::vector<CheckedColumn> columns;
};

/// Tells SQLite of the functions that only the program has, so that statements with them can be prepared.
void declare_functions(sqlite3* database, const QuerySettings& settings);

/// Prepares each query in a database that has the schema, on a connection that nothing else uses any more. Gives those
/// that fit; what is wrong with the others is told to `found`.
std::vector<CheckedQuery> check_queries(Connection& connection, const QueryFile& file, Diagnostics& found);

}  // namespace statehouse::queries
