#include <algorithm>
#include <boost/json/array.hpp>
#include <limits>
#include <optional>
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

const char* name_of(migration_kind kind) {
  switch (kind) {
    case migration_kind::up: return "up";
    case migration_kind::down: return "down";
    case migration_kind::simple: break;
  }
  return "simple";
}

const char* name_of(migration_state state) {
  switch (state) {
    case migration_state::pending: return "pending";
    case migration_state::applied: return "applied";
    case migration_state::changed: return "changed";
    case migration_state::missing: break;
  }
  return "missing";
}

style look_of(migration_state state) {
  if (state == migration_state::applied) return style::good;
  return state == migration_state::pending ? style::warning : style::bad;
}

/// A database to ask; where there is none yet an empty one in memory, so that nothing is created.
Connection open_or_imagine(const Arguments& arguments, Output& output) {
  const Place place(arguments);
  const bool exists = place.is_there();
  output.document()["database"] = place.text();
  output.document()["exists"] = exists;
  if (exists) return place.open_to_read();
  output.line("there is no database " + place.text() + " yet");
  return place.open_nothing();
}

// --- plan ---

json::object to_json(const PlannedMigration& planned) {
  const Migration& migration = *planned.migration;
  return {{"version", migration.version},
          {"description", migration.description},
          {"kind", name_of(migration.kind)},
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
                          {name_of(migration.kind)},
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

// --- info ---

json::object to_json(const MigrationStatus& status) {
  json::object object{{"version", status.version},
                      {"description", status.description},
                      {"state", name_of(status.state)},
                      {"dirty", status.dirty},
                      {"revertible", status.revertible},
                      {"kind", nullptr},
                      {"no_transaction", nullptr},
                      {"file", nullptr},
                      {"checksum", nullptr},
                      {"recorded_checksum", nullptr},
                      {"installed_on", nullptr},
                      {"execution_ns", nullptr}};
  if (status.source != nullptr) {
    object["kind"] = name_of(status.source->kind);
    object["no_transaction"] = status.source->no_transaction;
    object["file"] = status.source->file;
    object["checksum"] = to_hex(status.source->checksum);
  }
  if (status.state != migration_state::pending) {
    object["recorded_checksum"] = status.recorded_checksum;
    object["installed_on"] = status.installed_on;
  }
  if (status.execution_time) object["execution_ns"] = status.execution_time->count();
  return object;
}

std::vector<Cell> to_row(const MigrationStatus& status) {
  const bool applied = status.state != migration_state::pending;
  std::string state = name_of(status.state);
  if (status.dirty) state += ", not finished";
  return {{std::to_string(status.version)},
          {state, status.dirty ? style::bad : look_of(status.state)},
          {status.description},
          {status.installed_on},
          {applied && status.execution_time ? to_text(*status.execution_time) : ""},
          {status.revertible ? "yes" : "no", style::faint}};
}

/// How many there are of each kind.
struct Summary {
  std::size_t applied = 0, pending = 0, changed = 0, missing = 0, dirty = 0;

  void count(const MigrationStatus& status) {
    switch (status.state) {
      case migration_state::applied: ++applied; break;
      case migration_state::pending: ++pending; break;
      case migration_state::changed: ++changed; break;
      case migration_state::missing: ++missing; break;
    }
    dirty += status.dirty;
  }
  bool in_order(bool ignore_missing) const {
    return pending + changed + dirty == 0 && (ignore_missing || missing == 0);
  }
  std::string text() const {
    std::string result = std::to_string(applied) + " applied, " + std::to_string(pending) + " pending";
    if (changed > 0) result += ", " + std::to_string(changed) + " changed since applied ('migrate plan' tells how)";
    if (missing > 0) result += ", " + std::to_string(missing) + " missing in the folder";
    if (dirty > 0) result += ", " + std::to_string(dirty) + " not finished ('migrate plan' tells what to do)";
    return result;
  }
  json::object to_json() const {
    return {{"applied", applied}, {"pending", pending}, {"changed", changed}, {"missing", missing}, {"dirty", dirty}};
  }
};

// --- repair and baseline ---

std::string record_text(const std::optional<RecordedMigration>& record) {
  if (!record) return "no record";
  return record->description + ", " + (record->checksum.empty() ? "no checksum" : record->checksum.substr(0, 12)) +
         (record->success ? "" : ", not finished");
}

json::value to_json(const std::optional<RecordedMigration>& record) {
  if (!record) return nullptr;
  return {{"description", record->description}, {"checksum", record->checksum}, {"success", record->success}};
}

void tell_changes(const std::vector<BookkeepingChange>& changes, Output& output) {
  Table table{{"version", "before", "after"}, {}};
  auto& list = output.document()["changes"].emplace_array();
  for (const auto& change : changes) {
    list.push_back({{"version", change.version}, {"before", to_json(change.before)}, {"after", to_json(change.after)}});
    table.rows.push_back({{std::to_string(change.version)}, {record_text(change.before)}, {record_text(change.after)}});
  }
  if (!changes.empty()) output.table(table);
}

/// Shows what would be recorded, asks, and records it.
template <class Plan, class Action>
void change_records(const Arguments& arguments, Output& output, Plan&& plan, Action&& action) {
  const Place place(arguments);
  output.document()["database"] = place.text();
  output.document()["changes"].emplace_array();
  place.require();
  std::vector<BookkeepingChange> changes;
  {
    auto connection = place.open_to_read();
    changes = plan(connection);
  }
  tell_changes(changes, output);
  if (changes.empty()) return output.line("nothing to record: it is so already");
  if (arguments.dry_run) return output.line(count_text(changes.size(), "record") + " to change");
  output.confirm("Record this in " + place.text() + "? Nothing is run.", arguments.yes);
  auto connection = place.open_to_write();
  changes = action(connection);
  output.line(count_text(changes.size(), "record") + " changed", style::good);
}

}  // namespace

void migrate_run(const Arguments& arguments, Output& output) {
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

void migrate_info(const Arguments& arguments, Output& output) {
  const auto migrations = read_migrations(arguments, output, arguments.ignore_missing);
  auto connection = open_or_imagine(arguments, output);
  Table table{{"version", "state", "description", "applied on (UTC)", "time", "revertible"}, {}};
  auto& list = output.document()["migrations"].emplace_array();
  Summary summary;
  for (const auto& status : migrations.status(connection)) {
    summary.count(status);
    list.push_back(to_json(status));
    table.rows.push_back(to_row(status));
  }
  if (!table.rows.empty()) output.table(table);
  output.line(summary.text());
  output.document()["table"] = arguments.table;
  output.document()["summary"] = summary.to_json();
  if (arguments.check && !summary.in_order(arguments.ignore_missing)) output.set_exit_code(exit_would_change);
}

void migrate_repair(const Arguments& arguments, Output& output) {
  const auto migrations = read_migrations(arguments, output, false);
  change_records(
      arguments, output, [&](Connection& connection) { return migrations.plan_repair(connection, arguments.versions); },
      [&](Connection& connection) { return migrations.repair(connection, arguments.versions); });
}

void migrate_baseline(const Arguments& arguments, Output& output) {
  const auto migrations = read_migrations(arguments, output, false);
  change_records(
      arguments, output,
      [&](Connection& connection) { return migrations.plan_baseline(connection, *arguments.target_version); },
      [&](Connection& connection) { return migrations.baseline(connection, *arguments.target_version); });
}

}  // namespace statehouse::cli
