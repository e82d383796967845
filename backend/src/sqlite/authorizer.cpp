#include "sqlite/authorizer.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "sqlite/connection_settings.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

using Names = std::span<const std::string_view>;

bool contains(Names names, const char* name) noexcept {
  return std::ranges::any_of(names, [&](std::string_view other) { return same_ascii(other, name); });
}

/// Their argument says what to look at, or belongs to the file or the transaction, not to the connection.
constexpr std::array<std::string_view, 14> harmless_with_value{
    "table_info",        "table_xinfo",      "table_list",     "index_list",        "index_info",
    "index_xinfo",       "foreign_key_list", "quick_check",    "function_list",     "integrity_check",
    "foreign_key_check", "user_version",     "application_id", "defer_foreign_keys"};
/// They act even without an argument.
constexpr std::array<std::string_view, 4> acting{"wal_checkpoint", "optimize", "incremental_vacuum", "shrink_memory"};
/// The pool's promises rest on these: one writer, which alone checkpoints, in WAL mode; waits that end with the
/// operation.
constexpr std::array<std::string_view, 7> guarded{"busy_timeout",   "journal_mode",   "locking_mode",
                                                  "query_only",     "trusted_schema", "wal_autocheckpoint",
                                                  "writable_schema"};
constexpr std::array<std::string_view, 1> checkpoint{"wal_checkpoint"};
constexpr std::array<std::string_view, 4> temp_schema_tables{"sqlite_temp_master", "sqlite_temp_schema",
                                                             "sqlite_master", "sqlite_schema"};

const char* refuse_pragma(permission granted, bool may_checkpoint, const char* name, const char* value) noexcept {
  if (!may_checkpoint && contains(checkpoint, name))
    return "this connection does not checkpoint: only the writer does, or another process (PoolOptions::checkpoint)";
  if (granted == permission::maintenance)
    return value != nullptr && contains(guarded, name) ? "this PRAGMA is a setting of the pool: set it in the options"
                                                       : nullptr;
  if (value == nullptr && !contains(acting, name)) return nullptr;
  if (value != nullptr && contains(harmless_with_value, name)) return nullptr;
  return "a PRAGMA that changes a connection is refused here: use write_without_transaction or the options";
}

/// What a connection is asked for when it is remembered, and so can be put back, or what is no matter of a connection.
bool can_be_told(const char* pragma) noexcept {
  return ConnectionSettings::remembers(pragma) || contains(harmless_with_value, pragma) || contains(acting, pragma) ||
         contains(guarded, pragma);
}

change change_of_pragma(permission granted, const char* name, const char* value) noexcept {
  if (value == nullptr) return change::none;
  if (same_ascii("defer_foreign_keys", name)) return change::deferral;
  if (same_ascii("temp_store", name)) return change::temp_schema;  // which empties it
  return granted == permission::maintenance && !can_be_told(name) ? change::unknown : change::none;
}

}  // namespace

change change_of(permission granted, int action, const char* first, const char* second, const char* schema) noexcept {
  switch (action) {
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW: return change::temp_schema;
    // `CREATE TRIGGER temp.t` is none of these; but whatever it is, it is written down there.
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
      return schema != nullptr && same_ascii("temp", schema) && contains(temp_schema_tables, first)
                 ? change::temp_schema
                 : change::none;
    case SQLITE_PRAGMA:
      return granted == permission::unrestricted ? change::none : change_of_pragma(granted, first, second);
    default: return change::none;
  }
}

const char* refusal(permission granted, bool may_checkpoint, int action, const char* first,
                    const char* second) noexcept {
  if (granted == permission::unrestricted) return nullptr;
  if (action == SQLITE_PRAGMA) return refuse_pragma(granted, may_checkpoint, first, second);
  if (granted == permission::maintenance) return nullptr;
  switch (action) {
    case SQLITE_TRANSACTION:
      return "BEGIN, COMMIT and ROLLBACK are refused here: use write(f), or begin() for a transaction that spans "
             "awaits";
    case SQLITE_SAVEPOINT: return "SAVEPOINT is refused here: use savepoint(f)";
    case SQLITE_ATTACH:
    case SQLITE_DETACH: return "ATTACH and VACUUM are refused here: use write_without_transaction(f)";
    default: return nullptr;
  }
}

}  // namespace statehouse::detail
