#pragma once

#include <vector>

#include "check.hpp"

struct sqlite3_stmt;

namespace statehouse::queries {

/// The parameters of a statement with the types that are certain: of the columns that they are compared with or stored
/// into. What is wrong with their names is told to `found`.
std::vector<CheckedParameter> parameters_of(sqlite3_stmt* statement, const Query& query, const ProgramFacts& facts,
                                            const QueryFile& file, Diagnostics& found);

}  // namespace statehouse::queries
