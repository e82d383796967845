#include "statehouse/detail/session.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <spdlog/logger.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "core/authorizer.hpp"
#include "core/file.hpp"
#include "core/fork.hpp"
#include "core/regexp.hpp"
#include "core/statement_cache.hpp"

namespace statehouse::detail {
namespace {

constexpr int steps_between_checks = 1000;  // virtual machine steps: some 10 to 50 microseconds
constexpr auto busy_poll = std::chrono::milliseconds(1);

/// What PRAGMAs set per connection, and tell when asked.
constexpr std::array per_connection{
    "analysis_limit",     "automatic_index",   "cache_size",         "cache_spill",
    "cell_size_check",    "checkpoint_fullfsync", "foreign_keys",    "fullfsync",
    "ignore_check_constraints", "journal_size_limit", "legacy_alter_table", "locking_mode",
    "mmap_size",          "query_only",        "read_uncommitted",   "recursive_triggers",
    "reverse_unordered_selects", "secure_delete", "synchronous",     "temp_store",
    "threads",            "trusted_schema",    "wal_autocheckpoint", "writable_schema"};

boost::system::error_code code_of(stop_reason reason) noexcept {
  switch (reason) {
    case stop_reason::deadline: return errc::deadline_exceeded;
    case stop_reason::shutdown: return errc::closed;
    default: return {ECANCELED, boost::system::system_category()};  // boost::asio::error::operation_aborted
  }
}

/// Virtual tables keep statements (FTS5 a dozen) and finalise them when they are disconnected. An attempt to close does
/// that, and then fails for the sake of a statement that is still there.
void disconnect_virtual_tables(sqlite3* db) noexcept {
  sqlite3_stmt* guard = nullptr;
  if (sqlite3_prepare_v2(db, "SELECT 1", -1, &guard, nullptr) == SQLITE_OK) sqlite3_close(db);
  sqlite3_finalize(guard);
}

bool uses_virtual_table(sqlite3* db, sqlite3_stmt* statement) noexcept {
  const char* const sql = sqlite3_sql(statement);
  sqlite3_stmt* probe = nullptr;
  const bool without = sql == nullptr || sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_NO_VTAB, &probe, nullptr) == SQLITE_OK;
  sqlite3_finalize(probe);
  return !without;
}

sqlite3_stmt* find_leftover(sqlite3* db, bool only_virtual) noexcept {
  if (sqlite3_next_stmt(db, nullptr) == nullptr) return nullptr;
  disconnect_virtual_tables(db);
  sqlite3_stmt* left = sqlite3_next_stmt(db, nullptr);
  while (left != nullptr && only_virtual && !uses_virtual_table(db, left)) left = sqlite3_next_stmt(db, left);
  return left;
}

/// From the file's header, through SQLite's own descriptor: a statement would look for the log already.
bool is_wal_file(sqlite3* db) noexcept {
  constexpr sqlite3_int64 read_version = 19;  // https://www.sqlite.org/fileformat.html section 1.3
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  unsigned char version = 0;
  return file != nullptr && file->pMethods->xRead(file, &version, 1, read_version) == SQLITE_OK && version == 2;
}

bool has_log(const std::filesystem::path& file) noexcept {
  std::error_code ignored;
  return std::filesystem::exists(file.string() + "-wal", ignored) &&
         std::filesystem::exists(file.string() + "-shm", ignored);
}

}  // namespace

Session::Session(SessionConfig config)
    : config_(std::move(config)),
      cache_(std::make_unique<StatementCache>(config_.options.statement_cache)),
      patience_(config_.options.busy_timeout),
      generation_(fork_generation()) {
  try {
    open();
    configure();
    remember_settings();
  } catch (...) {
    close();
    throw;
  }
  permission_ = permission::statements;
}

Session::~Session() { close(); }

void Session::open() {
  // One thread at a time uses a connection, so SQLite's own mutexes would only cost. NOFOLLOW closes the gap between
  // the check of the file and its opening.
  int flags = SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX;
  const bool memory = config_.path == ":memory:";
  if (!memory) flags |= SQLite::OPEN_NOFOLLOW;
  try {
    database_ = std::make_unique<SQLite::Database>(config_.path.string(), memory ? flags | SQLite::OPEN_CREATE : flags, 0,
                                                   config_.options.exclusive && !memory ? "unix-excl" : "");
  } catch (const SQLite::Exception& error) {
    std::string message = std::string("cannot open the database file: ") + error.what();
    if (const auto why = explain_cannot_open(config_.path); !memory && !why.empty()) message += "; " + why;
    throw Error(make_sqlite_error(error.getExtendedErrorCode() != 0 ? error.getExtendedErrorCode() : error.getErrorCode()),
                message, {config_.database, {}});
  }
  handle_ = database_->getHandle();
  sqlite3_extended_result_codes(handle_, 1);
  if (config_.keep_log) sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  config_.interrupter->attach(handle_);
  install_handlers();
  // SQLite opens what it may not write for reading, and says so only at the first write.
  if (sqlite3_db_readonly(handle_, "main") != 1) return;
  if (config_.role == connection_role::reader) {
    if (!is_wal_file(handle_) || has_log(config_.path)) return;
    // SQLite would make the two, with a mode that keeps out even the owner, and could not remove them.
    throw Error(make_sqlite_error(SQLITE_READONLY),
                "the database file may only be read, which in WAL mode needs its -wal and -shm; they are there while a "
                "server has it open. Run this as the owner of the file, or look at a copy",
                {config_.database, {}});
  }
  throw Error(make_sqlite_error(SQLITE_READONLY),
              "the database file can be read, but not written; " + explain_cannot_open(config_.path),
              {config_.database, {}});
}

void Session::install_handlers() {
  install_stop_handlers();
  sqlite3_set_authorizer(
      handle_,
      [](void* self, int action, const char* first, const char* second, const char*, const char*) {
        return static_cast<Session*>(self)->on_authorize(action, first, second);
      },
      this);
}

void Session::install_stop_handlers() noexcept {
  sqlite3_busy_handler(
      handle_, [](void* self, int attempt) { return static_cast<Session*>(self)->on_busy(attempt); }, this);
  sqlite3_progress_handler(
      handle_, steps_between_checks,
      [](void* self) { return static_cast<Session*>(self)->on_progress(); }, this);
}

void Session::configure() {
  // Hardening as https://www.sqlite.org/security.html advises; REGEXP is registered as innocuous and works in schemas.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, config_.options.trusted_schema ? 1 : 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, nullptr);
  register_regexp(handle_);
  // With its first page a connection allocates room for 20, or for as many as the cache may hold. With 4 it is half as
  // large while it is idle. The PRAGMA has read a page itself, hence the release.
  run_internal("PRAGMA cache_size = 4");
  sqlite3_db_release_memory(handle_);
  const bool writer = config_.role == connection_role::writer;
  if (writer && config_.path != ":memory:") enable_wal();
  apply_settings();
  if (writer) return;
  run_internal("PRAGMA query_only = ON");
  require("PRAGMA query_only", "1");
  read_only_ = true;
}

void Session::apply_settings() {
  const auto& options = config_.options;
  const bool writer = config_.role == connection_role::writer;
  const auto set = [this](const char* name, std::int64_t value) {
    run_internal(("PRAGMA " + std::string(name) + " = " + std::to_string(value)).c_str());
  };
  set("foreign_keys", options.foreign_keys);
  set("synchronous", options.synchronous == durability::full ? 2 : 1);
  set("cache_size", -options.cache_kib);
  set("temp_store", 2);
  set("cell_size_check", 1);
  set("analysis_limit", 400);
  if (!writer) set("wal_autocheckpoint", 0);
  if (writer) set("journal_size_limit", options.journal_size_limit);
  require("PRAGMA foreign_keys", options.foreign_keys ? "1" : "0");
  require("PRAGMA synchronous", options.synchronous == durability::full ? "2" : "1");
}

void Session::enable_wal() {
  // Switching needs a lock that SQLite does not always wait for through the busy handler, and nothing says so: it just
  // reports BUSY, or the old mode. So ask, retry until the deadline, and believe only the answer.
  const auto give_up = interrupter().clock().now() + config_.options.busy_timeout;
  std::string mode;
  for (;;) {
    try {
      mode = pragma("PRAGMA journal_mode");
      if (strcasecmp(mode.c_str(), "wal") != 0) mode = pragma("PRAGMA journal_mode = WAL");
      break;
    } catch (const Error& error) {
      if (error.code() != condition::busy || interrupter().clock().now() >= give_up) throw;
    }
    throw_if_stopped({});
    std::this_thread::sleep_for(busy_poll);
  }
  if (strcasecmp(mode.c_str(), "wal") == 0) return;
  fail(errc::wal_unavailable,
       "SQLite keeps journal mode '" + mode +
           "' instead of WAL: the directory must be writable and on a local file system",
       {});
}

Statement Session::prepare(std::string_view sql) {
  if (expects_transaction_) require_transaction();
  sqlite3_stmt* handle = cache_->check_out(sql);
  bool cached = handle != nullptr;
  if (!cached) {
    // SQLite stops reading there, so what follows would be ignored.
    if (sql.find('\0') != std::string_view::npos) fail(errc::not_one_statement, "the text contains a NUL byte", sql);
    // Only what the strictest permission accepts is cached: a cached statement is not authorized again.
    const bool ordinary = permission_ == permission::statements;
    ++compiled_;
    std::string_view rest;
    handle = compile(sql, ordinary ? SQLITE_PREPARE_PERSISTENT : 0U, rest);
    if (handle != nullptr && !rest.empty()) {
      std::string_view ignored;
      try {
        sqlite3_stmt* const second = compile(rest, 0, ignored);
        rest = second != nullptr ? rest : std::string_view();
        sqlite3_finalize(second);
      } catch (const Error&) {  // not even valid: certainly a second statement
      }
    }
    if (handle == nullptr || !rest.empty()) {
      const bool empty = handle == nullptr;
      sqlite3_finalize(handle);
      fail(errc::not_one_statement,
           empty ? "the text holds no SQL statement"
                 : "the text holds more than one SQL statement: run them one by one, or use execute_script in write(f)",
           sql);
    }
    cached = ordinary && cache_->adopt(sql, handle);
  }
  if (read_only_ && !sqlite3_stmt_readonly(handle)) {
    give_back(handle, cached);
    fail(errc::write_on_reader, "the statement writes: use execute, execute_returning or write(f)", sql);
  }
  return Statement(*this, sql, handle, cached);
}

sqlite3_stmt* Session::compile(std::string_view sql, unsigned flags, std::string_view& rest) {
  sqlite3_stmt* handle = nullptr;
  const char* tail = nullptr;
  refusal_ = nullptr;
  rest = {};
  if (sql.empty()) return nullptr;
  throw_if_stopped(sql);
  const int result = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), flags, &handle, &tail);
  if (result != SQLITE_OK) fail(result, sql);
  rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  return handle;
}

void Session::give_back(sqlite3_stmt* statement, bool cached) noexcept {
  // A write that is left between its rows, because one of them could not be read: SQLite has done all of it by then, and
  // would commit. An interrupt makes it undo.
  if (!in_transaction() && sqlite3_stmt_busy(statement) && !sqlite3_stmt_readonly(statement)) {
    sqlite3_interrupt(handle_);
    sqlite3_step(statement);
  }
  if (!cached) {
    sqlite3_finalize(statement);
    return;
  }
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  cache_->give_back(statement);
}

void Session::execute_script(std::string_view sql) {
  while (!sql.empty()) {
    if (expects_transaction_) require_transaction();
    std::string_view rest;
    sqlite3_stmt* const handle = compile(sql, 0, rest);
    if (rest.size() == sql.size()) fail(errc::not_one_statement, "the script contains a NUL byte", sql);
    if (handle != nullptr) {
      Statement statement(*this, sql.substr(0, sql.size() - rest.size()), handle, false);
      if (read_only_ && !sqlite3_stmt_readonly(handle))
        fail(errc::write_on_reader, "the statement writes: use write(f)", statement.sql());
      statement.run_to_completion();
    }
    sql = rest;
  }
}

void Session::begin(transaction_kind kind) {
  throw_if_stopped({});
  run_control(kind == transaction_kind::immediate ? control::begin_immediate : control::begin);
  expects_transaction_ = true;
}

bool Session::try_begin(transaction_kind kind) noexcept {
  const auto patience = std::exchange(patience_, std::chrono::milliseconds(0));
  try {
    begin(kind);
  } catch (const std::exception&) {  // the caller does without
  }
  patience_ = patience;
  return in_transaction();
}

void Session::commit() {
  Interrupter::Shield shield(interrupter());
  require_transaction();
  try {
    run_control(control::commit);
    expects_transaction_ = false;
  } catch (...) {
    rollback();
    throw;
  }
}

void Session::require_transaction() const {
  if (!in_transaction())
    fail(errc::transaction_rolled_back, "SQLite has rolled the transaction back; nothing of it is kept", {});
}

bool Session::rollback() noexcept {
  expects_transaction_ = false;
  if (!in_transaction()) return true;
  Interrupter::Shield shield(interrupter());
  try {
    run_control(control::rollback);
  } catch (const std::exception& error) {
    logger().error("database '{}': ROLLBACK failed: {}", config_.database, error.what());
  }
  return !in_transaction();
}

bool Session::has_deferred_violation() const noexcept {
  int violated = 0;
  int unused = 0;
  sqlite3_db_status(handle_, SQLITE_DBSTATUS_DEFERRED_FKS, &violated, &unused, 0);
  return violated != 0;
}

void Session::settle() noexcept {
  if (!std::exchange(native_used_, false)) return;
  reset_statements();
  install_stop_handlers();  // SQLite::Database::setBusyTimeout, for one, replaces ours
  if (watches_wal_) watch_wal();
}

hygiene Session::clean() noexcept {
  settle();
  const bool open = in_transaction();
  if (!rollback() || broken_) return hygiene::broken;
  return open ? hygiene::rolled_back : hygiene::clean;
}

void Session::remember_settings() {
  settings_.clear();
  for (const char* const name : per_connection)
    if (auto value = pragma((std::string("PRAGMA ") + name).c_str()); !value.empty())
      settings_.emplace_back(name, std::move(value));
  attached_ = attached();
}

std::vector<std::string> Session::attached() const {
  std::vector<std::string> names;
  // 0 is main, 1 is temp
  for (int i = 2; const char* const name = sqlite3_db_name(handle_, i); ++i) names.emplace_back(name);
  return names;
}

void Session::restore_settings() noexcept {
  const Interrupter::Shield shield(interrupter());
  const PermissionScope scope(*this, permission::unrestricted);
  expects_transaction_ = false;
  try {
    for (const std::string& name : attached()) {
      if (std::ranges::find(attached_, name) != attached_.end()) continue;
      std::string detach = "DETACH \"";
      for (const char c : name) detach += c == '"' ? "\"\"" : std::string(1, c);
      run_internal((detach + '"').c_str());
    }
    for (const auto& [name, value] : settings_) {
      const std::string query = std::string("PRAGMA ") + name;
      if (pragma(query.c_str()) != value) run_internal((query + " = " + value).c_str());
    }
    if (config_.role == connection_role::writer && config_.path != ":memory:") enable_wal();
    if (watches_wal_) watch_wal();
  } catch (const std::exception& error) {
    logger().error("database '{}': settings could not be restored: {}", config_.database, error.what());
    broken_ = true;
  }
}

void Session::optimize(std::chrono::milliseconds budget) noexcept {
  interrupter().arm(interrupter().clock().now() + budget);
  try {
    run_internal("PRAGMA optimize");
  } catch (const std::exception& error) {
    logger().debug("database '{}': PRAGMA optimize: {}", config_.database, error.what());
  }
  interrupter().arm(Clock::time_point::max());  // a shutdown that was asked for is still to be heeded
}

void Session::watch_wal() noexcept {
  watches_wal_ = true;
  for (auto& [name, value] : settings_)
    if (std::string_view(name) == "wal_autocheckpoint") value = "0";
  sqlite3_wal_hook(
      handle_,
      [](void* self, sqlite3*, const char* schema, int frames) {
        if (std::string_view(schema) == "main") static_cast<Session*>(self)->wal_frames_ = frames;
        return SQLITE_OK;
      },
      this);
}

int Session::page_size() { return std::stoi(pragma("PRAGMA page_size")); }

Session::CheckpointResult Session::checkpoint(bool truncate) noexcept {
  if (config_.path == ":memory:") return {};
  const Interrupter::Shield shield(interrupter());
  const auto patience = std::exchange(patience_, std::chrono::milliseconds(0));
  CheckpointResult result;
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(handle_, "main", mode, &result.frames, &result.moved);
  if (code != SQLITE_OK && code != SQLITE_BUSY)
    logger().warn("database '{}': checkpoint: {}", config_.database, sqlite3_errmsg(handle_));
  patience_ = patience;
  // SQLite tells nothing, as -1, when somebody else was at it.
  if (result.frames < 0) return {.frames = wal_frames_};
  wal_frames_ = result.frames;
  return result;
}

void Session::prepare_close() noexcept {
  patience_ = std::chrono::milliseconds(0);
  cache_->clear();
  optimize(config_.options.optimize_budget);
  checkpoint(true);
}

void Session::close() noexcept {
  if (database_ == nullptr) return;
  if (generation_ != fork_generation()) {
    // In a forked child SQLite must not touch the file: closing would drop the parent's locks.
    static_cast<void>(cache_.release());
    static_cast<void>(database_.release());
    return;
  }
  config_.interrupter->detach();
  reset_statements();
  rollback();
  cache_->clear();
  for (sqlite3_stmt*& statement : controls_) sqlite3_finalize(std::exchange(statement, nullptr));
  finalise_leftovers();
  database_.reset();
  handle_ = nullptr;
}

void Session::reset_statements() noexcept {
  for (sqlite3_stmt* s = sqlite3_next_stmt(handle_, nullptr); s != nullptr; s = sqlite3_next_stmt(handle_, s))
    if (sqlite3_stmt_busy(s)) sqlite3_reset(s);
}

/// A statement that somebody has left over would make sqlite3_close fail and leak the descriptor with its locks.
void Session::finalise_leftovers() noexcept {
  // Those on virtual tables first: only when nobody uses such a table any more can it let go of its own statements.
  for (const bool only_virtual : {true, false}) {
    while (sqlite3_stmt* const left = find_leftover(handle_, only_virtual)) {
      const char* const sql = sqlite3_sql(left);
      logger().warn("database '{}': a statement was still alive at close and has been finalised", config_.database);
      logger().debug("database '{}': the statement was: {}", config_.database, shorten(sql != nullptr ? sql : ""));
      sqlite3_finalize(left);
    }
  }
}

SQLite::Database& Session::native() noexcept {
  native_used_ = true;
  return *database_;
}

void Session::run_internal(const char* sql) {
  PermissionScope scope(*this, permission::unrestricted);
  const int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(result, sql);
}

/// Prepared once and kept, but not in the cache, where a user's `COMMIT` would find it past the authorizer.
void Session::run_control(control which) {
  static constexpr std::array texts{"BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"};
  const auto index = static_cast<std::size_t>(which);
  sqlite3_stmt*& statement = controls_[index];
  PermissionScope scope(*this, permission::unrestricted);  // also for the step: it compiles anew after a schema change
  int result = SQLITE_OK;
  if (statement == nullptr)
    result = sqlite3_prepare_v3(handle_, texts[index], -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  sqlite3_reset(statement);
  if (result != SQLITE_DONE) fail(result, texts[index]);
}

std::string Session::pragma(const char* sql) {
  PermissionScope scope(*this, permission::unrestricted);
  std::string_view rest;
  Statement statement(*this, sql, compile(sql, 0, rest), false);
  if (!statement.step()) return {};
  const auto* const text = sqlite3_column_text(statement.handle(), 0);
  std::string value = text != nullptr ? reinterpret_cast<const char*>(text) : "";
  statement.run_to_completion();  // what it changes is kept only then
  return value;
}

void Session::require(const char* query, const char* expected) {
  const std::string actual = pragma(query);
  if (actual != expected)
    throw Error(make_sqlite_error(SQLITE_ERROR), std::string(query) + " gives '" + actual + "' instead of " + expected,
                {config_.database, {}});
}

int Session::on_authorize(int action, const char* first, const char* second) noexcept {
  const char* const reason = refusal(permission_, config_.role, action, first, second);
  if (reason == nullptr) return SQLITE_OK;
  refusal_ = reason;
  return SQLITE_DENY;
}

int Session::on_busy(int attempt) noexcept {
  if (brief_) return give_up();
  const auto now = interrupter().clock().now();
  if (attempt == 0) busy_since_ = now;
  if (interrupter().must_stop() || now - busy_since_ >= patience_) return 0;
  // Somebody in another process holds the lock. A constant short delay has the shortest tail.
  std::this_thread::sleep_for(busy_poll);
  return 1;
}

int Session::on_progress() noexcept {
  // SQLite asks once more after a statement has come to its end and is committed: too late to stop it, and to say so
  // would be a lie.
  if (stepping_ != nullptr && !sqlite3_stmt_busy(stepping_)) return 0;
  // SQLite counts the steps of a prepared statement over all its runs, so the first call may come at any moment.
  if (brief_) return brief_checks_++ == 0 ? 0 : 1 - give_up();
  return interrupter().must_stop() ? 1 : 0;
}

int Session::give_up() noexcept {
  gave_up_ = true;
  return 0;
}

bool Session::has_prepared(std::string_view sql) const noexcept { return cache_->contains(sql); }

void Session::throw_if_stopped(std::string_view sql) const {
  if (interrupter().must_stop()) fail(SQLITE_INTERRUPT, sql);
}

void Session::fail(int result, std::string_view sql) const {
  const Error::Context context{config_.database, shorten(sql)};
  const int primary = result & 0xff;
  if (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY) {
    if (const auto reason = interrupter().reason(); reason != stop_reason::none) {
      const auto code = code_of(reason);
      throw Error(code, "the statement was stopped: " + code.message(), context);
    }
  }
  if (primary == SQLITE_AUTH && refusal_ != nullptr) throw Error(errc::statement_refused, refusal_, context);
  std::string message = sqlite3_errmsg(handle_);
  if (primary == SQLITE_BUSY) message += ": another process holds the lock";
  if (message.find("unsafe use of") != std::string::npos)
    message += "; if you trust the schema of this file, set ConnectionOptions::trusted_schema";
  if (primary == SQLITE_READONLY || primary == SQLITE_CANTOPEN)
    if (const auto why = explain_cannot_open(config_.path); !why.empty() && config_.path != ":memory:")
      message += "; " + why;
  throw Error(make_sqlite_error(result), message + " (SQLite " + std::to_string(result) + ")", context);
}

void Session::fail(errc code, const std::string& message, std::string_view sql) const {
  throw Error(code, message, {config_.database, shorten(sql)});
}

}  // namespace statehouse::detail
