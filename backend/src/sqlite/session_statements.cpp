#include "statehouse/detail/session.hpp"

#include <spdlog/logger.h>

#include <array>
#include <utility>

#include "file/file.hpp"
#include "sqlite/statement_cache.hpp"

// Statements and transactions, and the errors they end with.

namespace statehouse::detail {
namespace {

boost::system::error_code code_of(stop_reason reason) noexcept {
  switch (reason) {
    case stop_reason::deadline: return errc::deadline_exceeded;
    case stop_reason::shutdown: return errc::closed;
    default: return {ECANCELED, boost::system::system_category()};  // boost::asio::error::operation_aborted
  }
}

}  // namespace

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
  // A write that is left between its rows, because one of them could not be read: SQLite has done all of it by then,
  // and would commit. An interrupt makes it undo.
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

bool Session::has_prepared(std::string_view sql) const noexcept {
  return cache_->contains(sql);
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
