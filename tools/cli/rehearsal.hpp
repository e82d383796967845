#pragma once

#include <vector>

#include "statehouse/migration_folder.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::cli {

class Progress;

/// Applies the migrations to an empty database in memory; where they can be reverted, reverts and applies them again,
/// and compares what each has left. Errors: scripts that fail. Warnings: a down file that does not take back what its
/// up file does, and scripts that need a function, a module or a collation that only the server has. No file is opened:
/// from the first script on that would open one, with `opens_file` or not, nothing more is tried, which is a note.
std::vector<MigrationProblem> rehearse(const Migrator& migrations, bool opens_file, Progress& watch);

}  // namespace statehouse::cli
