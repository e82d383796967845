#include "sqlx_case.hpp"

#include <algorithm>
#include <memory>

namespace statehouse::test {
namespace {

json::value cell(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return sqlite3_column_int64(statement, column);
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_NULL: return nullptr;
    case SQLITE_TEXT: return reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
    default: break;
  }
  const auto* const bytes = static_cast<const unsigned char*>(sqlite3_column_blob(statement, column));
  std::string hex;
  for (int i = 0; i < sqlite3_column_bytes(statement, column); ++i) {
    hex += "0123456789abcdef"[bytes[i] >> 4];
    hex += "0123456789abcdef"[bytes[i] & 15];
  }
  return json::string(hex);
}

bool is_statistics(const json::value& schema_row) {
  return std::string_view(schema_row.as_array()[1].as_string()).starts_with("sqlite_stat");
}

void describe_bookkeeping(const PlainDatabase& db, json::object& state) {
  const json::value rows =
      rows_of(db,
              "SELECT version, description, success, checksum, execution_time, typeof(version), typeof(description), "
              "typeof(installed_on), typeof(success), typeof(checksum), typeof(execution_time), "
              "installed_on GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]' "
              "FROM _sqlx_migrations ORDER BY version");
  if (rows.is_string()) {
    state["migrations_error"] = rows;
    return;
  }
  json::array migrations;
  for (const json::value& value : rows.as_array()) {
    const json::array& row = value.as_array();
    migrations.push_back(json::object{{"version", row[0]},
                                      {"description", row[1]},
                                      {"success", row[2]},
                                      {"checksum", row[3]},
                                      {"execution_time", row[4] == -1 ? "-1" : ">=0"},
                                      {"types", json::array(row.begin() + 5, row.begin() + 11)},
                                      {"installed_on_format_ok", row[11] == 1}});
  }
  state["migrations"] = migrations;
}

}  // namespace

json::value rows_of(const PlainDatabase& plain, const std::string& sql) {
  sqlite3* const db = plain.handle();
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &handle, nullptr) != SQLITE_OK) return json::string(sqlite3_errmsg(db));
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(handle, sqlite3_finalize);
  json::array result;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(handle)) == SQLITE_ROW) {
    json::array row;
    for (int i = 0; i < sqlite3_column_count(handle); ++i) row.push_back(cell(handle, i));
    result.push_back(row);
  }
  if (code != SQLITE_DONE) return json::string(sqlite3_errmsg(db));
  return result;
}

namespace {

json::value scalar(const PlainDatabase& db, const std::string& sql) {
  const json::value all = rows_of(db, sql);
  return all.is_array() && !all.as_array().empty() ? all.as_array()[0].as_array()[0] : json::value();
}

}  // namespace

json::object state_of(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {{"exists", false}};
  const PlainDatabase db(file);
  json::object state{{"exists", true}};
  json::array schema =
      rows_of(db, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").as_array();
  schema.erase(std::remove_if(schema.begin(), schema.end(), is_statistics), schema.end());
  json::object data;
  bool uses_regexp = false;
  for (const json::value& value : schema) {
    const json::array& row = value.as_array();
    const std::string name(row[1].as_string());
    uses_regexp = uses_regexp || (row[3].is_string() && row[3].as_string().find("REGEXP") != std::string::npos);
    if (name == "_sqlx_migrations" && row[0] == "table") {
      describe_bookkeeping(db, state);
    } else if (row[0] == "table" && !name.starts_with("sqlite_")) {
      data[name] = rows_of(db, "SELECT * FROM \"" + name + "\" ORDER BY 1 LIMIT 50");
    }
  }
  state["schema"] = schema;
  state["data"] = data;
  for (const std::string name :
       {"journal_mode", "user_version", "application_id", "page_size", "encoding", "auto_vacuum"})
    state[name] = scalar(db, "PRAGMA " + name);
  // A plain connection has no REGEXP.
  state["integrity"] = uses_regexp ? "skipped (REGEXP)" : scalar(db, "PRAGMA integrity_check");
  if (uses_regexp) {
    state["foreign_key_check"] = "skipped";
  } else {
    state["foreign_key_check"] = static_cast<std::int64_t>(rows_of(db, "PRAGMA foreign_key_check").as_array().size());
  }
  return state;
}

ExpectedFailure expected_failure(const json::object& outcome) {
  const std::string variant(outcome.at("variant").as_string());
  // Debug forms: Dirty(2), VersionTooOld(1, 2), ExecuteMigration(..., 2)
  const std::string debug(outcome.at("debug").as_string());
  const auto first = [&] { return std::stoll(debug.substr(debug.find('(') + 1)); };
  if (variant == "Source") return {errc::migration_source, std::nullopt};
  if (variant == "Dirty") return {errc::migration_dirty, first()};
  if (variant == "VersionMissing") return {errc::migration_missing, first()};
  if (variant == "VersionMismatch") return {errc::migration_mismatch, first()};
  if (variant == "VersionTooOld" || variant == "VersionNotPresent") return {errc::migration_target, first()};
  if (variant == "ExecuteMigration") return {errc::migration_failed, std::stoll(debug.substr(debug.rfind(", ") + 2))};
  if (variant == "Execute") return {errc::migration_failed, std::nullopt};
  throw std::runtime_error("unknown recorded error " + variant);
}

}  // namespace statehouse::test
