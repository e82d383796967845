#include "sqlite/connection_settings.hpp"

#include <algorithm>
#include <array>
#include <thread>

#include "base/deadline.hpp"
#include "regexp/function.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

/// What PRAGMAs set per connection, and tell when asked.
constexpr std::array per_connection{"analysis_limit",
                                    "automatic_index",
                                    "cache_size",
                                    "cache_spill",
                                    "cell_size_check",
                                    "checkpoint_fullfsync",
                                    "count_changes",
                                    "empty_result_callbacks",
                                    "foreign_keys",
                                    "full_column_names",
                                    "fullfsync",
                                    "ignore_check_constraints",
                                    "journal_size_limit",
                                    "legacy_alter_table",
                                    "locking_mode",
                                    "max_page_count",
                                    "mmap_size",
                                    "query_only",
                                    "read_uncommitted",
                                    "recursive_triggers",
                                    "reverse_unordered_selects",
                                    "secure_delete",
                                    "short_column_names",
                                    "synchronous",
                                    "temp_store",
                                    "threads",
                                    "trusted_schema",
                                    "wal_autocheckpoint",
                                    "writable_schema"};

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

int configure(sqlite3* db, int option, int value) noexcept {
  int current = 0;
  sqlite3_db_config(db, option, value, &current);
  return current;
}

}  // namespace

void ConnectionSettings::apply() {
  const SessionConfig& config = handle_.config();
  harden();
  register_regexp(handle_.get(), config.options.regexp_budget);
  // With its first page a connection allocates room for 20, but not where the cache may hold no more than 2. The PRAGMA
  // has read a page itself, hence the release; the next is read before the cache has its size, see `apply_options`, and
  // it is never quite empty again.
  handle_.run("PRAGMA cache_size = 2");
  sqlite3_db_release_memory(handle_.get());
  require_same_file();
  if (config.writes() && !config.in_memory()) enable_wal();
  apply_options();
}

/// Who replaces the file holds its lock, and we may have waited for that with the old one open; the log would be that
/// of the new one, since SQLite opens it by name. The first page is read, so from here on it is we who hold a lock, in
/// WAL mode to the end; with a rollback journal SQLite looks itself before it writes.
void ConnectionSettings::require_same_file() {
  int moved = 0;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved == 0) return;
  throw Error(errc::file_replaced, "the file was moved, deleted or replaced while it was being opened: open it again",
              {handle_.config().context.database, {}});
}

/// As https://www.sqlite.org/security.html advises; REGEXP is registered as innocuous and works in schemas.
void ConnectionSettings::harden() noexcept {
  sqlite3* const db = handle_.get();
  configure(db, SQLITE_DBCONFIG_DEFENSIVE, 1);
  configure(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, handle_.config().options.trusted_schema ? 1 : 0);
  configure(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0);
  configure(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0);
}

void ConnectionSettings::apply_options() {
  const ConnectionOptions& options = handle_.config().options;
  const bool writer = handle_.config().writes();
  const bool keep_log = handle_.config().keep_log;
  // In one text: each call costs as much as the PRAGMA in it. The first reads a page.
  std::string script =
      "PRAGMA schema_version; PRAGMA cell_size_check = 1; PRAGMA temp_store = 2; PRAGMA analysis_limit = 400";
  const auto set = [&script](const char* name, std::int64_t value) {
    script.append("; PRAGMA ").append(name).append(" = ").append(std::to_string(value));
  };
  set("synchronous", options.synchronous == durability::full ? 2 : 1);
  set("cache_size", -options.cache_kib);
  // Whoever checkpoints in its place may not have read yet what the limit would cut off.
  if (writer) set("journal_size_limit", keep_log ? -1 : options.journal_size_limit);
  if (!writer) set("query_only", 1);
  handle_.run(script);
  if (!writer || keep_log) sqlite3_wal_autocheckpoint(handle_.get(), 0);
  if (configure(handle_.get(), SQLITE_DBCONFIG_ENABLE_FKEY, options.foreign_keys ? 1 : 0) !=
      (options.foreign_keys ? 1 : 0))
    fail("foreign_keys");
  require("synchronous", options.synchronous == durability::full ? "2" : "1");
  if (!writer) require("query_only", "1");
}

void ConnectionSettings::enable_wal() {
  // Switching needs a lock that SQLite does not always wait for through the busy handler, and nothing says so: it just
  // reports BUSY, or the old mode. So ask, retry until the deadline, and believe only the answer.
  const SessionConfig& config = handle_.config();
  const Clock& clock = config.context.interrupter->clock();
  const auto give_up = after(clock.now(), config.options.busy_timeout);
  std::string mode;
  for (;;) {
    try {
      mode = handle_.pragma("PRAGMA journal_mode");
      if (!same_ascii(mode, "wal")) mode = handle_.pragma("PRAGMA journal_mode = WAL");
      break;
    } catch (const Error& error) {
      if (error.code() != condition::busy || clock.now() >= give_up) throw;
    }
    handle_.throw_if_stopped({});
    std::this_thread::sleep_for(busy_poll);
  }
  if (same_ascii(mode, "wal")) return;
  throw Error(errc::wal_unavailable,
              "SQLite keeps journal mode '" + mode +
                  "' instead of WAL: the directory must be writable and on a local file system",
              {config.context.database, {}});
}

void ConnectionSettings::require(const std::string& pragma, const char* expected) {
  if (handle_.pragma("PRAGMA " + pragma) != expected) fail(pragma);
}

/// What keeps promises is asked for, as SQLite says nothing of a PRAGMA that it does not know, or not now.
void ConnectionSettings::fail(const std::string& pragma) {
  throw Error(make_sqlite_error(SQLITE_ERROR), "SQLite does not set PRAGMA " + pragma + " as it was told",
              {handle_.config().context.database, {}});
}

void ConnectionSettings::empty_cache() {
  const std::string size = value_of("cache_size");
  handle_.run("PRAGMA cache_size = 1; PRAGMA cache_size = " + size);
}

void ConnectionSettings::remember(change changes) {
  pragmas_.clear();
  attached_ = attached();
  // To ask for it would make a connection open the file it is in.
  temp_schema_ = has(changes, change::temp_schema) ? temp_schema() : std::string();
}

void ConnectionSettings::remember_pragmas() {
  if (!pragmas_.empty()) return;
  Pragmas all;
  for (const char* const name : per_connection)
    if (auto value = value_of(name); !value.empty()) all.emplace_back(name, std::move(value));
  pragmas_ = std::move(all);
}

/// What it is between scripts, also while one runs.
std::string ConnectionSettings::value_of(std::string_view pragma) {
  if (before_script_ && pragma == "foreign_keys") return std::to_string(before_script_->foreign_keys);
  if (before_script_ && pragma == "trusted_schema") return std::to_string(before_script_->trusted_schema);
  return handle_.pragma("PRAGMA " + std::string(pragma));
}

bool ConnectionSettings::remembers(std::string_view pragma) noexcept {
  return std::ranges::any_of(per_connection, [&](const char* name) { return same_ascii(pragma, name); });
}

std::vector<std::string> ConnectionSettings::attached() const {
  std::vector<std::string> names;
  // 0 is main, 1 is temp
  for (int i = 2; const char* const name = sqlite3_db_name(handle_.get(), i); ++i) names.emplace_back(name);
  return names;
}

/// What stays with a connection when its user is gone, by what he has to do for that, in the order in which it is put
/// back. The one list: what is not in it is a matter of the file, of the transaction, or of the process.
const std::array<ConnectionSettings::Entry, 6> ConnectionSettings::entries{
    {{change::settings, &ConnectionSettings::detach_attached},
     {change::settings, &ConnectionSettings::restore_pragmas},
     {change::settings, &ConnectionSettings::restore_journal_mode},
     {change::temp_schema, &ConnectionSettings::restore_temp_schema},
     {change::deferral, &ConnectionSettings::end_deferral},
     // Functions, collations, modules, hooks and limits that were set through `native()`, PRAGMAs that do not tell what
     // they have set: SQLite has no question for them, and what `on_connect` had set in their place cannot be had back.
     {change::unknown, &ConnectionSettings::give_up}}};

bool ConnectionSettings::put_back(change changes) {
  return std::ranges::all_of(
      entries, [&](const Entry& entry) { return !has(changes, entry.after) || (this->*entry.put_back)(); });
}

bool ConnectionSettings::detach_attached() {
  for (const std::string& name : attached()) {
    if (std::ranges::find(attached_, name) != attached_.end()) continue;
    std::string detach = "DETACH \"";
    for (const char c : name) detach += c == '"' ? "\"\"" : std::string(1, c);
    handle_.run(detach + '"');
  }
  return std::ranges::includes(sorted(attached()), sorted(attached_));  // one that is gone cannot be had back
}

/// None where they were not remembered: nobody was in a position to change them.
bool ConnectionSettings::restore_pragmas() {
  for (const auto& [name, value] : pragmas_) {
    const std::string query = std::string("PRAGMA ") + name;
    if (handle_.pragma(query) != value) handle_.run(query + " = " + value);
  }
  return true;
}

bool ConnectionSettings::restore_journal_mode() {
  if (handle_.config().writes() && !handle_.config().in_memory()) enable_wal();
  return true;
}

std::string ConnectionSettings::temp_schema() {
  return handle_.pragma(
      "SELECT group_concat(type || ' ' || name || ' ' || ifnull(sql, ''), char(10)) "
      "FROM sqlite_temp_master");
}

/// A change of where temporary tables are kept drops all there are, with what belongs to them, in one step
/// (https://www.sqlite.org/pragma.html#pragma_temp_store).
bool ConnectionSettings::restore_temp_schema() {
  if (temp_schema() == temp_schema_) return true;
  if (!temp_schema_.empty()) return false;
  const std::string query = "PRAGMA temp_store";
  const std::string value = handle_.pragma(query);
  handle_.run(query + (value == "2" ? " = 1" : " = 2"));
  handle_.run(query + " = " + value);
  return true;
}

bool ConnectionSettings::end_deferral() {
  handle_.run("PRAGMA defer_foreign_keys = OFF");
  return true;
}

void ConnectionSettings::begin_script(std::optional<bool> foreign_keys) noexcept {
  sqlite3* const db = handle_.get();
  before_script_.emplace(ScriptSettings{configure(db, SQLITE_DBCONFIG_ENABLE_FKEY, -1),
                                        configure(db, SQLITE_DBCONFIG_DEFENSIVE, -1),
                                        configure(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, -1)});
  if (foreign_keys) configure(db, SQLITE_DBCONFIG_ENABLE_FKEY, *foreign_keys ? 1 : 0);
  // Migrations are the one place where changing the schema table by hand is an accepted technique.
  configure(db, SQLITE_DBCONFIG_DEFENSIVE, 0);
  // And they make the schema: distrusting it would only keep triggers from feeding an FTS5 table (SQLite 3.40).
  configure(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1);
}

void ConnectionSettings::end_script() noexcept {
  if (!before_script_) return;
  configure(handle_.get(), SQLITE_DBCONFIG_ENABLE_FKEY, before_script_->foreign_keys);
  configure(handle_.get(), SQLITE_DBCONFIG_DEFENSIVE, before_script_->defensive);
  configure(handle_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, before_script_->trusted_schema);
  before_script_.reset();
}

}  // namespace statehouse::detail
