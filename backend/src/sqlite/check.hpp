#pragma once

#include <boost/system/error_code.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace statehouse {
class Reader;
}

namespace statehouse::detail {

/// Whether the next connection to `file` finds something to recover, or somebody has written and is still there: see
/// `integrity_check::after_unclean_shutdown`.
bool has_leftovers(const std::filesystem::path& file) noexcept;

/// SQLite's codes for a file that cannot be read as a database.
bool is_damage(const boost::system::error_code& code) noexcept;

struct QuickCheck {
  std::vector<std::string> findings;  ///< The first ones.
  bool finished = true;               ///< False when it has run for `limit`.
};

/// `PRAGMA quick_check`, without CHECK constraints, for at most `limit`; zero is no limit. A file that SQLite cannot
/// look through is a finding. The connection is of no further use: it ignores such constraints from now on. Throws
/// Error when the connection's job is stopped.
QuickCheck quick_check(Reader& connection, std::chrono::milliseconds limit);

}  // namespace statehouse::detail
