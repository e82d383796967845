#pragma once

#include <span>
#include <vector>

#include "statehouse/migration_folder.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::cli {

/// What was found of scripts that do what is asked of them, and something else with it once there are rows.
struct DataLossFindings {
  std::vector<MigrationProblem> warnings;
  /// A script opens a file of its own, which is not done here.
  bool opens_file = false;
};

/// Follows the scripts up, in a database in memory, statement by statement: a table that is dropped although others
/// refer to it, one that is renamed out of the way and takes the references of others with it, columns that a table
/// with rows does not take, temporary objects that are left. Ends silently at what SQLite does not take: that is for
/// others to tell.
DataLossFindings find_data_loss(std::span<const Migration> migrations);

}  // namespace statehouse::cli
