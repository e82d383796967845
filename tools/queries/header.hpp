#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"

namespace statehouse::queries {

/// The header with a function for each query, in the namespace of the database.
std::string header_of(std::string_view database, const QueryFile& file, const std::vector<CheckedQuery>& queries);

}  // namespace statehouse::queries
