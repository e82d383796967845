#pragma once

#include <set>
#include <string>
#include <string_view>

namespace statehouse::queries {

bool is_keyword(std::string_view word);

/// `name`, with '_' behind it where it is a word of C++ or in `taken`; then it is there, too.
std::string free_name(std::string name, std::set<std::string>& taken);

/// "get_block" is "GetBlockRow".
std::string row_name(std::string_view query);

/// What a database is called in C++, as statehouse_embed_migrations has it: "user-data.v2" is "user_data_v2".
std::string namespace_name(std::string_view database);

}  // namespace statehouse::queries
