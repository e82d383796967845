#include "sqlite/handle.hpp"

#include <spdlog/logger.h>
#include <SQLiteCpp/Database.h>

#include <array>
#include <utility>

#include "engine/error_class.hpp"
#include "engine/scopes.hpp"
#include "engine/vfs_option.hpp"
#include "file/file.hpp"
#include "sqlite/open_file.hpp"
#include "sqlite/system_reason.hpp"

namespace statehouse::detail {
namespace {

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

/// From the file's header, through SQLite's own descriptor: a statement would look for the log already. Of one that is
/// encrypted nobody knows.
bool may_be_wal_file(sqlite3* db, const ConnectionOptions& options) noexcept {
  constexpr std::size_t read_version = 19;  // https://www.sqlite.org/fileformat.html section 1.3
  constexpr std::string_view magic("SQLite format 3\0", 16);
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  std::array<char, read_version + 1> header{};
  if (file == nullptr || file->pMethods->xRead(file, header.data(), header.size(), 0) != SQLITE_OK) return false;
  if (std::string_view(header.data(), magic.size()) != magic) return encrypts(options);
  return header[read_version] == 2;
}

bool has_log(const std::filesystem::path& file) noexcept {
  std::error_code ignored;
  return std::filesystem::exists(file.string() + "-wal", ignored) &&
         std::filesystem::exists(file.string() + "-shm", ignored);
}

/// What somebody has to do first who may write, where the file may only be read.
std::string what_a_reader_lacks(int result) {
  switch (result) {
    case SQLITE_READONLY_ROLLBACK:
      return ": a transaction that was cut short has to be rolled back first: have it opened once by who may write it";
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_CANTINIT:
    case SQLITE_READONLY_CANTLOCK:
      return ": its write-ahead log has to be made ready first, by who may write it: have it opened there, or look at "
             "a copy of the file and its -wal";
    default: return {};
  }
}

/// What SQLite and its extensions make of an interrupt, of a wait that was given up, and of a statement of their own
/// that ended so: "vtable constructor failed" is a plain error, and FTS5 takes a page it was not given for a damaged
/// one. What tells of the data or the disk for certain is told, also when a stop came at the same time.
bool may_come_of_a_stop(int result) noexcept {
  switch (result & 0xff) {
    case SQLITE_ERROR:
    case SQLITE_ABORT:
    case SQLITE_BUSY:
    case SQLITE_INTERRUPT: return true;
    default: return result == SQLITE_CORRUPT_VTAB;
  }
}

}  // namespace

Handle::Handle(Session& session, Callbacks& callbacks, SessionConfig config)
    : session_(session), callbacks_(callbacks), config_(std::move(config)) {
  database_ = open_file(config_);
  db_ = database_->getHandle();
  if (config_.lasting && config_.writer == written_by::others && !may_be_wal_file(db_, config_.options)) {
    // SQLite finds a rollback journal by the name of the file, and would play back into this one the journal of a file
    // that has taken its place meanwhile, and delete it: so it may not write.
    database_ = open_file_to_read(config_);
    db_ = database_->getHandle();
  }
  keep_log(config_.keep_log || log_has_content());  // with a wrong key it is taken for empty, and would be removed
  if (config_.options.on_open) config_.options.on_open(*database_, config_.context.role);
  sqlite3_extended_result_codes(db_, 1);
  callbacks_.install(db_);
  if (const int result = insert_id_.install(db_); result != SQLITE_OK) fail(result, {});
  if (config_.watch != nullptr) notes_.emplace(*config_.watch, db_, config_.in_memory()).install();
  require_access();
  session_.interrupter().attach(&session_, [db = db_] { sqlite3_interrupt(db); });
}

Handle::~Handle() {
  session_.interrupter().detach(&session_);
  notes_.reset();
  finalise_leftovers();
  forget_late_interrupt();
}

/// SQLite opens what it may not write for reading, and says so only at the first write.
void Handle::require_access() const {
  if (config_.writer == written_by::nobody || sqlite3_db_readonly(db_, "main") != 1) return;
  std::string message = "the database file can be read, but not written; " + explain_cannot_open(config_.path);
  if (!config_.writes()) {
    if (!may_be_wal_file(db_, config_.options) || has_log(config_.path)) return;
    // SQLite would make the two, with a mode that keeps out even the owner, and could not remove them.
    message =
        "the database file may only be read, which in WAL mode needs its -wal and -shm; they are there while a server "
        "has it open. Run this as the owner of the file, look at a copy, or, where nobody writes it, open it as "
        "immutable";
  }
  throw Error(make_sqlite_error(SQLITE_READONLY), message, {session_.database(), {}});
}

sqlite3_stmt* Handle::compile(std::string_view sql, unsigned flags, std::string_view& rest) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  callbacks_.begin_compiling();
  rest = {};
  if (sql.empty()) return nullptr;
  throw_if_stopped(sql);
  const auto prepare = [&] {
    return sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), flags, &statement, &tail);
  };
  int result = prepare();
  if (result != SQLITE_OK && forget_interrupt(result)) result = prepare();
  if (result != SQLITE_OK) fail(result, sql);
  rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  return statement;
}

WrittenTables Handle::written_by(const std::string& sql) noexcept {
  WrittenTables written;
  const Callbacks::Learning scope(callbacks_, written);
  sqlite3_stmt* again = nullptr;
  if (sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), 0, &again, nullptr) != SQLITE_OK)
    written.note_incomplete();
  sqlite3_finalize(again);
  return written;
}

void Handle::run(const std::string& sql) {
  const PermissionScope scope(session_, permission::unrestricted);
  const int result = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(result, sql);
}

std::string Handle::pragma(const std::string& sql) {
  const PermissionScope scope(session_, permission::unrestricted);
  std::string_view rest;
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(compile(sql, 0, rest), sqlite3_finalize);
  std::string value;
  int result = callbacks_.step(statement.get());
  if (result == SQLITE_ROW) {
    const auto* const text = sqlite3_column_text(statement.get(), 0);
    if (text != nullptr) value = reinterpret_cast<const char*>(text);
  }
  while (result == SQLITE_ROW) result = callbacks_.step(statement.get());  // what it changes is kept only then
  if (result != SQLITE_DONE) fail(result, sql);
  return value;
}

bool Handle::reset_busy(bool blobs) noexcept {
  bool any = false;
  for (sqlite3_stmt* s = sqlite3_next_stmt(db_, nullptr); s != nullptr; s = sqlite3_next_stmt(db_, s)) {
    if (sqlite3_stmt_busy(s) == 0 || (!blobs && sqlite3_sql(s) == nullptr)) continue;
    sqlite3_reset(s);
    any = true;
  }
  return any;
}

void Handle::take_back() noexcept {
  lent_ = failed_ = false;
  reset_busy(true);
}

bool Handle::forget_interrupt(int result) noexcept {
  if ((result & 0xff) != SQLITE_INTERRUPT || session_.interrupter().must_stop() || callbacks_.stepping()) return false;
  // A blob's handle, which has a statement without a text, would be read from after this; one of an extension is not.
  return reset_busy(!lent_);
}

void Handle::forget_late_interrupt() noexcept {
  sqlite3_stmt* none = nullptr;
  sqlite3_prepare_v2(db_, ";", -1, &none, nullptr);
}

void Handle::keep_log(bool keep) noexcept {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

bool Handle::log_has_content() const noexcept {
  return !config_.in_memory() && file_size_or_zero(config_.path.string() + "-wal") > 0;
}

void Handle::keep_log_of_others() noexcept {
  if (config_.writer == written_by::others && log_has_content()) keep_log();
}

void Handle::throw_if_stopped(std::string_view sql) const {
  if (session_.interrupter().must_stop()) fail(SQLITE_INTERRUPT, sql);
}

void Handle::fail(int result, std::string_view sql) const {
  const std::string reason = system_reason(db_, result);  // first, before the system is asked for something else
  const Error::Context context{session_.database(), shorten(sql)};
  const int primary = result & 0xff;
  failed_ = true;
  if (may_come_of_a_stop(result)) {
    if (const auto stopped = session_.interrupter().reason(); stopped != stop_reason::none) {
      const auto code = code_of(stopped);
      last_error_ = {result, code.message(), std::nullopt};
      throw Error(code, "the statement was stopped: " + code.message(), context);
    }
  }
  if (primary == SQLITE_AUTH && callbacks_.refusal() != nullptr) {
    last_error_ = {result, callbacks_.refusal(), std::nullopt};
    throw Error(errc::statement_refused, callbacks_.refusal(), context);
  }
  std::string message = sqlite3_errmsg(db_);
  const int offset = sqlite3_error_offset(db_);
  last_error_ = {result, message, offset < 0 ? std::nullopt : std::optional(static_cast<std::size_t>(offset))};
  if (primary == SQLITE_BUSY) message += ": another process holds the lock";
  message += explain_missing_function(message);
  if (primary == SQLITE_NOTADB && encrypts(config_.options))
    message += "; if it is encrypted, it is with another key than on_open gives";
  if (message.find("unsafe use of") != std::string::npos)
    message += "; if you trust the schema of this file, set ConnectionOptions::trusted_schema";
  std::string why;
  if ((primary == SQLITE_READONLY || primary == SQLITE_CANTOPEN) && !config_.in_memory())
    why = explain_cannot_open(config_.path);
  message += why.empty() ? reason : "; " + why;
  throw Error(make_sqlite_error(result), message + what_a_reader_lacks(result), context);
}

/// A statement that somebody has left over would make sqlite3_close fail and leak the descriptor with its locks.
void Handle::finalise_leftovers() noexcept {
  // Those on virtual tables first: only when nobody uses such a table any more can it let go of its own statements.
  for (const bool only_virtual : {true, false}) {
    while (sqlite3_stmt* const left = find_leftover(db_, only_virtual)) {
      const char* const sql = sqlite3_sql(left);
      session_.logger().warn("database '{}': a statement was still alive at close and has been finalised",
                             session_.database());
      session_.logger().debug("database '{}': the statement was: {}", session_.database(),
                              shorten(sql != nullptr ? sql : ""));
      sqlite3_finalize(left);
    }
  }
}

}  // namespace statehouse::detail
