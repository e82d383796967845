#pragma once

#include <memory>

#include "sqlite/session_config.hpp"

namespace SQLite {
class Database;
}

namespace statehouse::detail {

/// An SQLite connection as it comes, before anything is set on it. Throws Error that says what is in the way.
std::unique_ptr<SQLite::Database> open_file(const SessionConfig& config);
/// The same, of one that SQLite never writes to.
std::unique_ptr<SQLite::Database> open_file_to_read(const SessionConfig& config);

/// Throws Error with `errc::invalid_option` where none is registered by the name that the options give.
void require_vfs(const ConnectionOptions& options, const std::string& database);

}  // namespace statehouse::detail
