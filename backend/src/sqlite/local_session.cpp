#include "sqlite/local_session.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/deadline.hpp"
#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "file/fork.hpp"
#include "text/ascii.hpp"
#include "text/sql_scanner.hpp"

namespace statehouse::detail {

using control = ControlStatements::control;

namespace {

/// Whether it may hold a PRAGMA with a value: no other text sets one.
bool may_set_pragma(std::string_view text) noexcept {
  constexpr std::string_view word = "pragma";
  const auto found = std::ranges::search(text, word, {}, ascii_lower);
  return !found.empty() && std::string_view(found.begin(), text.end()).find_first_of("=(") != std::string_view::npos;
}

/// What one of these writes depends on the schema, and only its compilation tells: with IF EXISTS it may be nothing now
/// and something later.
bool defines_schema(std::string_view sql) {
  const auto statement = SqlScanner(sql).next_statement();
  if (!statement || statement->tokens.empty()) return false;
  const SqlToken& first = statement->tokens.front();
  return first.is("CREATE") || first.is("DROP") || first.is("ALTER");
}

}  // namespace

LocalSession::LocalSession(SessionConfig config)
    : Session(config.context),
      callbacks_(*this, config.options.busy_timeout, config.writes() && !config.keep_log),
      handle_(std::make_unique<Handle>(*this, callbacks_, std::move(config))),
      settings_(std::make_unique<ConnectionSettings>(*handle_)),
      log_(std::make_unique<WriteAheadLog>(*handle_)),
      controls_(std::make_unique<ControlStatements>(*handle_)),
      cache_(std::make_unique<StatementCache>(handle_->config().options.statement_cache)),
      generation_(fork_generation()) {
  settings_->apply();
  if (!handle_->config().keep_log) handle_->keep_log(false);  // the file could be read
  rules().read_only = !handle_->config().writes();
  remember_settings();
  rules().granted = permission::statements;
  if (handle_->config().sidecars) handle_->config().sidecars->add();
}

LocalSession::~LocalSession() {
  if (generation_ != fork_generation()) {
    // In a forked child SQLite must not touch the file: closing would drop the parent's locks.
    static_cast<void>(take_kept().release());
    static_cast<void>(cache_.release());
    static_cast<void>(controls_.release());
    static_cast<void>(handle_.release());
    return;
  }
  if (handle_->config().sidecars) handle_->config().sidecars->remove();
  interrupter().detach(this);
  take_kept().reset();
  handle_->take_back();
  rollback();
  handle_->keep_log_of_others();
}

void LocalSession::forget_migrations() {
  if (compiled_ == 0) return;
  cache_->clear();
  settings_->empty_cache();
}

StatementPtr LocalSession::prepare(std::string_view sql) {
  if (rules().expects_transaction) require_transaction(*this);
  LocalStatement* const cached = cache_->check_out(sql);
  LocalStatement* const statement = cached != nullptr ? cached : compile(sql);
  StatementPtr result(statement);
  if (rules().read_only && !statement->reads_only())
    fail(errc::write_on_reader, "the statement writes: use execute, execute_returning or write(f)", sql);
  return result;
}

/// A PRAGMA may act when it is compiled, so all are remembered before: for who may set them, as soon as he compiles
/// anything; for what is unrestricted, which but for a migration's script is our own, when the text may hold one.
void LocalSession::remember_before(std::string_view text) {
  switch (rules().granted) {
    case permission::statements: return;
    case permission::maintenance: break;
    case permission::unrestricted:
      if (!may_set_pragma(text)) return;
  }
  const PermissionScope scope(*this, permission::unrestricted);
  settings_->remember_pragmas();
}

LocalStatement* LocalSession::compile(std::string_view sql) {
  // SQLite counts bytes in an int; it takes a thousand million at most.
  if (sql.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error(make_sqlite_error(SQLITE_TOOBIG), "the text is longer than SQLite can take",
                {database(), shorten(sql)});
  // SQLite stops reading there, so what follows would be ignored.
  if (sql.find('\0') != std::string_view::npos) fail(errc::not_one_statement, "the text contains a NUL byte", sql);
  // Only what the strictest permission accepts and what leaves nothing behind is cached: a cached statement is not
  // authorized again.
  const bool ordinary = rules().granted == permission::statements;
  remember_before(sql);
  ++compiled_;
  std::string_view rest;
  sqlite3_stmt* const first = handle_->compile(sql, ordinary ? SQLITE_PREPARE_PERSISTENT : 0U, rest);
  if (first == nullptr) fail(errc::not_one_statement, "the text holds no SQL statement", sql);
  auto statement = std::make_unique<LocalStatement>(*handle_, sql, first);
  const bool kept = ordinary && !callbacks_.changing() && !defines_schema(sql);
  bool more = false;
  try {
    std::string_view ignored;
    sqlite3_stmt* const second = handle_->compile(rest, 0, ignored);
    more = second != nullptr;
    sqlite3_finalize(second);
  } catch (const Error&) {  // not even valid: certainly a second statement
    handle_->throw_if_stopped(sql);
    more = true;
  }
  if (more)
    fail(errc::not_one_statement,
         "the text holds more than one SQL statement: run them one by one, or use execute_script in write(f)", sql);
  return kept ? cache_->adopt(std::move(statement)) : statement.release();
}

bool LocalSession::has_prepared(std::string_view sql) const noexcept {
  return cache_->contains(sql);
}

std::uint64_t LocalSession::take_compiled() noexcept {
  return std::exchange(compiled_, 0);
}

std::size_t LocalSession::run_next(const std::string& script, std::size_t at) {
  if (rules().expects_transaction) require_transaction(*this);
  handle_->throw_if_stopped(std::string_view(script).substr(at));
  if (at == 0) remember_before(script);
  callbacks_.begin_compiling();
  // SQLite reads without copying only what ends with a NUL: with a length, each statement would copy the whole rest.
  const char* const text = script.c_str() + at;
  const char* tail = nullptr;
  sqlite3_stmt* compiled = nullptr;
  int result = sqlite3_prepare_v3(handle_->get(), text, -1, 0, &compiled, &tail);
  if (result != SQLITE_OK && handle_->forget_interrupt(result))
    result = sqlite3_prepare_v3(handle_->get(), text, -1, 0, &compiled, &tail);
  if (result != SQLITE_OK) handle_->fail(result, text);
  if (compiled != nullptr) {
    LocalStatement statement(*handle_, std::string_view(text, static_cast<std::size_t>(tail - text)), compiled);
    if (rules().read_only && !statement.reads_only())
      fail(errc::write_on_reader, "the statement writes: use write(f)", statement.sql());
    while (statement.step()) {
    }
  }
  return at + static_cast<std::size_t>(tail - text);
}

void LocalSession::begin(transaction_kind kind) {
  handle_->throw_if_stopped({});
  const PermissionScope scope(*this, permission::unrestricted);
  controls_->run(kind == transaction_kind::immediate ? control::begin_immediate : control::begin);
  rules().expects_transaction = true;
}

bool LocalSession::try_begin(transaction_kind kind) noexcept {
  const Callbacks::Impatience impatience(callbacks_);
  try {
    begin(kind);
  } catch (const std::exception&) {  // the caller does without
  }
  return in_transaction();
}

void LocalSession::commit() {
  if (undone_in_part_ && !rollback()) handle_->fail(last_error().code, "ROLLBACK");
  require_transaction(*this);
  const Interrupter::Shield shield(interrupter());
  try {
    const PermissionScope scope(*this, permission::unrestricted);
    controls_->run(control::commit);
    rules().expects_transaction = false;
    if (auto* const notes = handle_->commit_notes()) notes->settle();
  } catch (...) {
    rollback();
    throw;
  }
}

bool LocalSession::rollback() noexcept {
  rules().expects_transaction = false;
  if (!in_transaction()) return true;
  const Interrupter::Shield shield(interrupter());
  const PermissionScope scope(*this, permission::unrestricted);
  try {
    controls_->run(control::rollback);
    if (auto* const notes = handle_->commit_notes()) notes->forget();
  } catch (const std::exception& error) {
    logger().error("database '{}': ROLLBACK failed: {}", database(), error.what());
  }
  undone_in_part_ = in_transaction();
  return !undone_in_part_;
}

void LocalSession::savepoint(savepoint_step step) {
  const PermissionScope scope(*this, permission::unrestricted);
  if (step == savepoint_step::rollback) {
    controls_->run(control::rollback_to_savepoint);
  } else {
    if (rules().expects_transaction) require_transaction(*this);
    handle_->throw_if_stopped({});
  }
  auto* const notes = handle_->commit_notes();
  if (step == savepoint_step::begin) {
    if (notes != nullptr) {
      notes->settle();  // what comes now may be rolled back, and what was committed before not
      notes->begin_savepoint();
    }
    try {
      controls_->run(control::savepoint);
    } catch (...) {
      if (notes != nullptr) notes->end_savepoint(true);
      throw;
    }
    return;
  }
  const Interrupter::Shield shield(interrupter());  // the outermost one commits
  controls_->run(control::release_savepoint);
  if (notes == nullptr) return;
  notes->end_savepoint(step == savepoint_step::release);
  notes->settle();
}

bool LocalSession::has_deferred_violation() const noexcept {
  int violated = 0;
  int unused = 0;
  sqlite3_db_status(handle_->get(), SQLITE_DBSTATUS_DEFERRED_FKS, &violated, &unused, 0);
  return violated != 0;
}

void LocalSession::take_back() noexcept {
  if (!handle_->disturbed()) return;
  const bool lent = handle_->lent();
  handle_->take_back();
  auto* const notes = handle_->commit_notes();
  if (lent) {
    callbacks_.install_stop_handlers(handle_->get());  // SQLite::Database::setBusyTimeout, for one, replaces ours
    if (log_->watched()) log_->watch();
    if (notes != nullptr) {
      notes->install();
      notes->end_lent();
    }
  }
  if (notes != nullptr) notes->settle();
}

hygiene LocalSession::clean() noexcept {
  let_go();
  take_back();
  const bool open = in_transaction();
  if (!rollback()) return hygiene::broken;
  return open ? hygiene::rolled_back : hygiene::clean;
}

void LocalSession::restore_settings() noexcept {
  const Interrupter::Shield shield(interrupter());
  rules().expects_transaction = false;
  try {
    if (!settings_->put_back(change::settings)) callbacks_.note(change::unknown);
    if (log_->watched()) log_->watch();
  } catch (const std::exception& error) {
    logger().error("database '{}': settings could not be restored: {}", database(), error.what());
    callbacks_.note(change::unknown);
  }
}

void LocalSession::remember_settings() {
  settings_->remember(callbacks_.changes());
  callbacks_.forget_changes();
}

bool LocalSession::put_back() noexcept {
  if (!changed()) return true;
  const Interrupter::Shield shield(interrupter());
  try {
    if (!settings_->put_back(callbacks_.changes())) return false;
    callbacks_.forget_changes();
    return true;
  } catch (const std::exception& error) {
    logger().error("database '{}': a connection could not be made as it was: {}", database(), error.what());
    return false;
  }
}

void LocalSession::take_over(Session& predecessor) {
  auto* const notes = handle_->commit_notes();
  if (predecessor.look_for_others() && notes != nullptr) notes->begin_knowingly();
  if (!handle_->config().in_memory()) return;
  sqlite3* const from = local_session_of(predecessor).handle().get();
  sqlite3_backup* const copy = sqlite3_backup_init(handle_->get(), "main", from, "main");
  if (copy != nullptr) sqlite3_backup_step(copy, -1);
  if (const int result = copy != nullptr ? sqlite3_backup_finish(copy) : sqlite3_errcode(handle_->get());
      result != SQLITE_OK)
    handle_->fail(result, {});
}

SQLite::Database& LocalSession::native() {
  if (rules().granted != permission::statements) settings_->remember_pragmas();
  callbacks_.note(change::unknown);
  if (auto* const notes = handle_->commit_notes(); notes != nullptr && handle_->config().writes()) notes->add_lent();
  return handle_->lend();
}

bool LocalSession::look_for_others() noexcept {
  auto* const notes = handle_->commit_notes();
  return notes != nullptr && !in_transaction() && notes->look_for_others();
}

void LocalSession::optimize(TimeLimit budget) noexcept {
  interrupter().arm(after(interrupter().clock().now(), budget));
  try {
    handle_->run("PRAGMA optimize");
  } catch (const std::exception& error) {
    logger().debug("database '{}': PRAGMA optimize: {}", database(), error.what());
  }
  optimized_ = log_->commits();
  interrupter().arm(Clock::time_point::max());  // a shutdown that was asked for is still to be heeded
}

void LocalSession::prepare_close() noexcept {
  const Callbacks::Impatience impatience(callbacks_);
  cache_->clear();
  if (log_->commits() != optimized_) optimize(handle_->config().options.optimize_budget);
}

LocalSession& local_session_of(Reader& connection) {
  return local_session_of(session_of(connection));
}

LocalSession& local_session_of(Session& session) {
  if (auto* const local = dynamic_cast<LocalSession*>(&session)) return *local;
  session.fail(errc::not_supported, "only a database on this machine can do this", {});
}

}  // namespace statehouse::detail
