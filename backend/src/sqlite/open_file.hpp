#pragma once

#include <memory>

#include "sqlite/session_config.hpp"

namespace SQLite {
class Database;
}

namespace statehouse::detail {

/// An SQLite connection as it comes, before anything is set on it. Throws Error that says what is in the way.
std::unique_ptr<SQLite::Database> open_file(const SessionConfig& config);

}  // namespace statehouse::detail
