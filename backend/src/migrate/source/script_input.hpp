#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "statehouse/migration.hpp"
#include "statehouse/migration_folder.hpp"

namespace statehouse::detail {

/// Whether a script is written for what reads it here. Throws MigrationError, `errc::migration_refused` with the line,
/// for one in another tool's format of which more would run than that tool runs, and for one that is no SQL. Gives what
/// works, but probably not as meant. `database` is for the message.
std::vector<MigrationProblem> check_input(const Migration& migration, const std::string& database = {});

/// Whether it would do nothing.
bool has_no_statement(std::string_view script);

}  // namespace statehouse::detail
