#pragma once

#include <string>
#include <vector>

#include "value.hpp"

namespace statehouse::queries {

/// What a function of SQL may give; `count` is -1 where it takes any number, and then `arguments` is empty.
Value result_of_function(const std::string& name, int count, const std::vector<Value>& arguments);

/// What an aggregate may give; `seen` is what min(), max() and sum() have seen.
Value result_of_aggregate(const std::string& name, const Value& seen);

}  // namespace statehouse::queries
