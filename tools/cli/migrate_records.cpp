#include <boost/json/array.hpp>
#include <optional>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "migrations.hpp"
#include "output.hpp"

namespace statehouse::cli {
namespace {

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
