#pragma once

#include <functional>
#include <string_view>

#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::cli {

struct Arguments;
class Output;

const char* kind_name(migration_kind kind);

/// A database to ask; where there is none yet an empty one in memory, so that nothing is created.
Connection open_or_imagine(const Arguments& arguments, Output& output);

/// The folder --source with the options that were given; tells of .sql files that are passed over.
Migrator read_migrations(const Arguments& arguments, Output& output, bool ignore_missing);

/// The same where no one database is meant.
Migrator read_folder(const Arguments& arguments, Output& output, bool ignore_missing);

/// How a run is told of, and what it does.
struct Changing {
  std::string_view done;   ///< "applied", for a line per migration.
  std::string_view list;   ///< The same in the document.
  std::string_view doing;  ///< For a long run.
  std::function<MigrationReport(const Migrator&, Connection&)> action;
};

/// Opens --database, creating it if it is missing, runs the action and tells of each migration as it is done.
MigrationReport change_database(const Migrator& migrations, const Arguments& arguments, Output& output,
                                const Changing& changing);

/// Applies what is pending to --database, as above.
void apply(const Migrator& migrations, const Arguments& arguments, Output& output);

}  // namespace statehouse::cli
