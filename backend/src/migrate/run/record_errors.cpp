#include "migrate/run/record_errors.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "migrate/source/checksum.hpp"
#include "migrate/source/migration_file.hpp"
#include "migrate/source/placeholder.hpp"
#include "migrate/source/script_input.hpp"

namespace statehouse::detail {
namespace {

/// What differs from what was applied, and what to do.
std::string explain_mismatch(const Migration& migration, const AppliedMigration& applied, bool ran_nothing,
                             std::u32string_view ignored_characters) {
  const std::string repair = "'statehouse migrate repair " + std::to_string(migration.version) + "'";
  Checksum recorded{};
  if (applied.checksum.size() == recorded.size()) {
    std::ranges::copy(applied.checksum, recorded.begin());
    const std::string difference = explain_difference(migration.sql, recorded, ignored_characters);
    if (!difference.empty())
      return "Compared with what was applied, only this differs: " + difference +
             ". Restore the file as it was (for line ends, '*.sql text eol=lf' in .gitattributes keeps it so), or "
             "record it as it is with repair (" +
             repair + ")";
    ran_nothing = ran_nothing || was_placeholder(migration.sql, recorded, ignored_characters);
    if (ran_nothing && !has_no_statement(migration.sql))
      return "What was applied had no statement in it: the statements that the file has now have never run on this "
             "database. Restore the file as it was, and put them into a new migration";
  }
  return "The content differs. Restore the file as it was, and put the change into a new migration. Only where every "
         "statement of the file has run on this database, as when just comments were changed, record it as it is with "
         "repair (" +
         repair + ")";
}

/// "migration 3 'x'"
std::string described(const AppliedMigration& applied) {
  return "migration " + std::to_string(applied.version) + " '" + applied.description + "'";
}

}  // namespace

void fail_dirty(const AppliedMigration& applied, const std::string& table, const Error::Context& context) {
  throw MigrationError(errc::migration_dirty,
                       described(applied) +
                           " is recorded as not finished. Look at what it has done, complete or undo it by hand; then "
                           "have it recorded as finished with repair, or delete its row of " +
                           table + " to have it run again",
                       {.version = applied.version}, context);
}

void fail_missing(const AppliedMigration& applied, const Error::Context& context) {
  throw MigrationError(errc::migration_missing,
                       described(applied) +
                           " is applied to this database, but not among the known ones. Restore its file, start the "
                           "newer program that has it, or set MigratorOptions::ignore_missing",
                       {.version = applied.version}, context);
}

void fail_mismatch(const Migration& migration, const AppliedMigration& applied, const std::vector<AppliedTime>& times,
                   std::u32string_view ignored_characters, const Error::Context& context) {
  const auto time = std::ranges::find(times, migration.version, &AppliedTime::version);
  const bool ran_nothing = time != times.end() && time->execution_time == 0;
  throw MigrationError(errc::migration_mismatch,
                       describe(migration) + " has been changed since it was applied to this database: recorded " +
                           "SHA-384 " + (applied.checksum.empty() ? "none" : to_hex(std::span(applied.checksum))) +
                           ", the file's " + to_hex(migration.checksum) + ". " +
                           explain_mismatch(migration, applied, ran_nothing, ignored_characters),
                       {migration.version, migration.file}, context);
}

}  // namespace statehouse::detail
