#include "sqlite/written_tables.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

#include "sqlite/handle.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

/// SQLite's own: the schema, sequences, statistics.
bool is_internal(std::string_view name) noexcept {
  constexpr std::string_view prefix = "sqlite_";
  return name.size() >= prefix.size() && same_ascii(prefix, name.substr(0, prefix.size()));
}

/// Nothing when it cannot be asked for.
std::optional<std::string> schema_version(Handle& handle) noexcept try {
  return handle.pragma("PRAGMA schema_version");
} catch (const std::exception&) {
  return std::nullopt;
}

int times_compiled(sqlite3_stmt* statement) noexcept {
  return sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_REPREPARE, 0);
}

}  // namespace

void WrittenTables::note(int action, const char* first, const char* second, const char* schema) noexcept try {
  switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE: return add(first, schema);
    case SQLITE_CREATE_TABLE:
    case SQLITE_DROP_TABLE:
    case SQLITE_CREATE_VIEW:
    case SQLITE_DROP_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE: schema_ = true; return add(first, schema);
    // It does not say the new name, and rewrites what others say of the table.
    case SQLITE_ALTER_TABLE: schema_ = incomplete_ = true; return add(second, first);
    default: return;
  }
} catch (const std::exception&) {  // no memory, and SQLite is no place for an exception
  incomplete_ = true;
}

void WrittenTables::add(const char* name, const char* schema) {
  if (name == nullptr || schema == nullptr || !same_ascii("main", schema) || is_internal(name)) return;
  if (std::ranges::find(names_, name) == names_.end()) names_.emplace_back(name);
}

void StatementWrites::learn(Handle& handle, sqlite3_stmt* statement, const std::string& sql) {
  compiled_ = times_compiled(statement);
  tables_ = handle.written_by(sql);
  if (tables_.incomplete() && !tables_.changes_schema()) compiled_ = -1;  // asked again the next time
}

void StatementWrites::begin(Handle& handle, sqlite3_stmt* statement, const std::string& sql) {
  if (compiled_ != times_compiled(statement)) learn(handle, statement, sql);
  running_ = true;
  rollbacks_before_ = handle.commit_notes()->rollbacks();
  rows_before_ = sqlite3_total_changes64(handle.get());
  // With IF EXISTS it may name nothing of a schema that is not known yet.
  may_change_schema_ = tables_.changes_schema() || tables_.names().empty();
  if (may_change_schema_) schema_before_ = schema_version(handle);
}

bool StatementWrites::changed_schema(Handle& handle) const noexcept {
  return may_change_schema_ && (!schema_before_ || schema_version(handle) != schema_before_);
}

void StatementWrites::end(Handle& handle, sqlite3_stmt* statement, const std::string& sql, bool failed) {
  if (!std::exchange(running_, false)) return;
  if (failed) {
    // What triggers have changed stays counted when it is undone.
    if (handle.commit_notes()->rollbacks() != rollbacks_before_) return;
    if (sqlite3_total_changes64(handle.get()) == rows_before_) return;
    if (compiled_ != times_compiled(statement)) tables_.note_incomplete();
  } else {
    // SQLite counts rows when the statement is over, and none of one that it has undone.
    const bool schema = changed_schema(handle);
    if (!schema && sqlite3_total_changes64(handle.get()) == rows_before_) return;
    // Somebody has changed the schema before it ran: a trigger may be new. What it has changed itself cannot be asked.
    if (compiled_ != times_compiled(statement)) schema ? tables_.note_incomplete() : learn(handle, statement, sql);
  }
  handle.commit_notes()->add(tables_);
}

}  // namespace statehouse::detail
