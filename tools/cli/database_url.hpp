#pragma once

#include <string>
#include <string_view>

namespace statehouse::cli {

/// What DATABASE_URL says.
struct DatabaseUrl {
  std::string file;
  bool must_exist = false;  ///< By `?mode=rw`, which `sqlx migrate run` needs a file for.
};

/// Letters, digits, '+', '-' and '.' before a colon; else empty.
std::string_view scheme_of(std::string_view url);

/// As sqlx reads `sqlite:FILE` and `sqlite://FILE`, with %XX for any byte of FILE. Throws UsageError for what it cannot
/// be here: other programs' databases, memory, parameters that this tool does not keep. Says nothing of the URL but its
/// scheme, as there may be a password in it.
DatabaseUrl parse_database_url(std::string_view url);

}  // namespace statehouse::cli
