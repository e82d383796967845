#include <boost/json/array.hpp>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "migrations.hpp"
#include "output.hpp"

namespace statehouse::cli {
namespace {

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
    object["kind"] = kind_name(status.source->kind);
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

}  // namespace

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

}  // namespace statehouse::cli
