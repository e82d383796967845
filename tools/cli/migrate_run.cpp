#include <algorithm>
#include <boost/json/array.hpp>
#include <limits>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "migrations.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "remarks.hpp"

namespace statehouse::cli {
namespace {

// --- plan ---

json::object to_json(const PlannedMigration& planned) {
  const Migration& migration = *planned.migration;
  return {{"version", migration.version},
          {"description", migration.description},
          {"kind", kind_name(migration.kind)},
          {"transaction", !migration.no_transaction},
          {"foreign_keys_off", planned.foreign_keys_off},
          {"file", migration.file},
          {"remarks", remarks_json(planned.remarks)}};
}

void tell_plan(const std::vector<PlannedMigration>& plan, const char* what, Output& output) {
  Table table{{"version", "description", "kind", "how", "file"}, {}};
  auto& planned = output.document()["planned"].emplace_array();
  for (const auto& one : plan) {
    const Migration& migration = *one.migration;
    planned.push_back(to_json(one));
    table.rows.push_back({{std::to_string(migration.version)},
                          {migration.description},
                          {kind_name(migration.kind)},
                          {migration.no_transaction ? "no transaction"
                           : one.foreign_keys_off   ? "transaction, foreign keys checked at its end"
                                                    : "transaction"},
                          {migration.file, style::faint}});
  }
  if (!plan.empty()) output.table(table);
  for (const auto& one : plan) {
    for (const auto& remark : one.remarks)
      output.line(severity_text(remark.severity) + ": " + remark.message, severity_style(remark.severity));
  }
  output.line(plan.empty() ? std::string("nothing to ") + what : count_text(plan.size(), "migration") + " to " + what);
}

// --- revert ---

/// What undo has to be given to revert the latest that can be reverted, and only that.
std::int64_t below_latest(const Migrator& migrations, Connection& connection) {
  const auto all = migrations.status(connection);
  const auto latest = std::find_if(all.rbegin(), all.rend(), [](const MigrationStatus& status) {
    return status.state != migration_state::pending && status.revertible;
  });
  // With nothing to revert, undo still makes its checks.
  if (latest == all.rend()) return std::numeric_limits<std::int64_t>::max();
  if (latest->version == std::numeric_limits<std::int64_t>::min())
    throw UsageError("the lowest version there can be cannot be reverted alone");
  return latest->version - 1;
}

/// A slip of the finger must not revert more than was meant.
void check_known(const Migrator& migrations, std::int64_t target, const std::vector<PlannedMigration>& plan) {
  const auto files = migrations.migrations();
  const bool known = std::ranges::binary_search(files, target, {}, &Migration::version);
  const bool above_all = !files.empty() && target > files.back().version;
  if (known || target <= 0 || (plan.empty() && !above_all)) return;
  throw MigrationError(errc::migration_target,
                       "there is no migration " + std::to_string(target) +
                           " in this folder: give the version to go back to, or 0 to revert all",
                       {.version = target});
}

std::int64_t undo_target(const Migrator& migrations, const Arguments& arguments, Connection& connection) {
  if (!arguments.target_version) return below_latest(migrations, connection);
  check_known(migrations, *arguments.target_version, migrations.plan_undo(connection, *arguments.target_version));
  return *arguments.target_version;
}

}  // namespace

void migrate_run(const Arguments& arguments, Output& output) {
  if (arguments.all) return migrate_run_all(arguments, output);
  if (arguments.dry_run) return migrate_plan(arguments, output);
  if (const Place place(arguments); arguments.must_exist && !place.is_there())
    throw Finding("not_found", "there is no database file '" + place.text() +
                                   "', and by mode=rw in DATABASE_URL none is to be made: leave that out, or make it " +
                                   "with 'db create' or 'db setup'");
  apply(read_migrations(arguments, output, arguments.ignore_missing), arguments, output);
}

void migrate_plan(const Arguments& arguments, Output& output) {
  const auto migrations = read_migrations(arguments, output, arguments.ignore_missing);
  auto connection = open_or_imagine(arguments, output);
  const auto plan = [&] {
    const Progress watch("looking at what there is to do", "");  // it may look for violated keys in all rows
    return migrations.plan(connection, arguments.target_version);
  }();
  tell_plan(plan, "apply", output);
}

void migrate_revert(const Arguments& arguments, Output& output) {
  const auto migrations = read_migrations(arguments, output, arguments.ignore_missing);
  if (arguments.dry_run) {
    auto connection = open_or_imagine(arguments, output);
    return tell_plan(migrations.plan_undo(connection, undo_target(migrations, arguments, connection)), "revert",
                     output);
  }
  Place(arguments).require();
  const auto action = [&](const Migrator& migrator, Connection& connection) {
    return migrator.undo(connection, undo_target(migrator, arguments, connection));
  };
  const auto report =
      change_database(migrations, arguments, output, {"reverted", "reverted", "reverting migrations", action});
  output.line(report.versions.empty() ? "nothing to revert"
                                      : count_text(report.versions.size(), "migration") + " reverted");
}

}  // namespace statehouse::cli
