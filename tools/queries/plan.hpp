#pragma once

#include <string>
#include <vector>

#include "query_file.hpp"

namespace statehouse {
class Connection;
}

namespace statehouse::queries {

struct QueryPlan {
  std::vector<std::string> steps;    ///< As EXPLAIN QUERY PLAN has them, those of inner queries indented.
  std::vector<std::string> scanned;  ///< Tables that it goes through from one end to the other, or an index of theirs.
};

/// How SQLite runs a query that check_queries has found to fit.
QueryPlan plan_of(Connection& connection, const Query& query);

/// A warning for each table that is scanned and has more rows than `most`, as the file says.
Diagnostics scans_of_large_tables(const QueryPlan& plan, const Query& query, const QueryFile& file, std::int64_t most);

}  // namespace statehouse::queries
