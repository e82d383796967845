#include <spdlog/logger.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <strings.h>

#include <thread>
#include <utility>

#include "file/file.hpp"
#include "file/fork.hpp"
#include "regexp/function.hpp"
#include "sqlite/authorizer.hpp"
#include "sqlite/statement_cache.hpp"
#include "statehouse/detail/session.hpp"

// How a connection comes to be, with its settings and handlers, and how it ends.

namespace statehouse::detail {
namespace {

constexpr int steps_between_checks = 1000;  // virtual machine steps: some 10 to 50 microseconds
constexpr auto busy_poll = std::chrono::milliseconds(1);

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
  const bool without =
      sql == nullptr || sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_NO_VTAB, &probe, nullptr) == SQLITE_OK;
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

Session::~Session() {
  close();
}

void Session::open() {
  // One thread at a time uses a connection, so SQLite's own mutexes would only cost. NOFOLLOW closes the gap between
  // the check of the file and its opening.
  int flags = SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX;
  const bool memory = config_.path == ":memory:";
  if (!memory) flags |= SQLite::OPEN_NOFOLLOW;
  try {
    database_ = std::make_unique<SQLite::Database>(config_.path.string(), memory ? flags | SQLite::OPEN_CREATE : flags,
                                                   0, config_.options.exclusive && !memory ? "unix-excl" : "");
  } catch (const SQLite::Exception& error) {
    std::string message = std::string("cannot open the database file: ") + error.what();
    if (const auto why = explain_cannot_open(config_.path); !memory && !why.empty()) message += "; " + why;
    throw Error(
        make_sqlite_error(error.getExtendedErrorCode() != 0 ? error.getExtendedErrorCode() : error.getErrorCode()),
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
      handle_, steps_between_checks, [](void* self) { return static_cast<Session*>(self)->on_progress(); }, this);
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

}  // namespace statehouse::detail
