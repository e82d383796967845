#pragma once

#include <memory>

#include "sqlite/connection_settings.hpp"
#include "sqlite/control_statements.hpp"
#include "sqlite/statement_cache.hpp"
#include "sqlite/write_ahead_log.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::detail {

/// A connection to a file on this machine, or to a database in memory.
class LocalSession final : public Session {
 public:
  /// Opens and configures; throws Error and leaves nothing open on failure.
  explicit LocalSession(SessionConfig config);
  ~LocalSession() override;

  StatementPtr prepare(std::string_view sql) override;
  bool has_prepared(std::string_view sql) const noexcept override;
  std::uint64_t take_compiled() noexcept override;
  std::size_t run_next(const std::string& script, std::size_t at) override;

  void begin(transaction_kind kind) override;
  bool try_begin(transaction_kind kind) noexcept override;
  void commit() override;
  bool rollback() noexcept override;
  void savepoint(savepoint_step step) override;
  bool in_transaction() const noexcept override { return handle_->in_transaction(); }
  bool has_deferred_violation() const noexcept override;

  void take_back() noexcept override;
  hygiene clean() noexcept override;
  void remember_settings() override;
  void restore_settings() noexcept override;
  bool changed() const noexcept override { return callbacks_.changes() != change::none; }
  bool put_back() noexcept override;
  void take_over(Session& predecessor) override;
  bool look_for_others() noexcept override;
  void begin_script(std::optional<bool> foreign_keys) override { settings_->begin_script(foreign_keys); }
  void end_script() noexcept override { settings_->end_script(); }

  int limit_length(int bytes) noexcept override { return sqlite3_limit(handle_->get(), SQLITE_LIMIT_LENGTH, bytes); }
  const LastError& last_error() const noexcept override { return handle_->last_error(); }
  SQLite::Database& native() override;

  // For the rest of the local engine.
  Handle& handle() const noexcept { return *handle_; }
  WriteAheadLog& log() const noexcept { return *log_; }
  void keep_log() noexcept { handle_->keep_log(); }
  /// Nobody will want the statements and the pages of the migrations again. None may be in use.
  void forget_migrations();
  /// `PRAGMA optimize`, bounded by `budget`; errors are logged at debug and ignored.
  void optimize(TimeLimit budget) noexcept;
  /// Before the last close of a writer, and its last checkpoint: `PRAGMA optimize` within its budget, if anything was
  /// committed here since the last one.
  void prepare_close() noexcept;

 private:
  LocalStatement* compile(std::string_view sql);
  void remember_before(std::string_view text);

  Callbacks callbacks_;
  // In this order, since each uses those before it until its own end; not to be destroyed in a forked child.
  std::unique_ptr<Handle> handle_;
  std::unique_ptr<ConnectionSettings> settings_;
  std::unique_ptr<WriteAheadLog> log_;
  std::unique_ptr<ControlStatements> controls_;
  std::unique_ptr<StatementCache> cache_;
  std::uint64_t compiled_ = 0;
  std::uint64_t optimized_ = 0;  // at so many commits
  bool undone_in_part_ = false;  // ROLLBACK has failed: what is open may not be committed
  const unsigned generation_;    // of forks
};

/// What is a session of the local engine, and the one behind a connection of it; `errc::not_supported` on any other.
LocalSession& local_session_of(Session& session);
LocalSession& local_session_of(Reader& connection);

}  // namespace statehouse::detail
