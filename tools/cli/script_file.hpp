#pragma once

#include <filesystem>
#include <string>

#include "statehouse/connection.hpp"

namespace statehouse::cli {

/// The content of a file of SQL. Throws Finding, Error.
std::string read_script(const std::filesystem::path& file);

/// Runs the statements of a script. The transaction that is open there stays the caller's: BEGIN, COMMIT and the like
/// are refused, and so are ATTACH, what checkpoints and the settings of the connection. Throws Finding with file and
/// line, and with `after` at its end. With `reserved_names_too`, a statement that makes what SQLite makes itself is
/// passed over, as `.schema` of its shell prints such.
void run_script(Connection& connection, const std::filesystem::path& file, const std::string& script,
                const std::string& after, bool reserved_names_too = false);

}  // namespace statehouse::cli
