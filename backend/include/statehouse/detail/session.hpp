#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "statehouse/detail/interrupter.hpp"
#include "statehouse/detail/statement.hpp"
#include "statehouse/error.hpp"
#include "statehouse/options.hpp"

namespace spdlog {
class logger;
}
namespace SQLite {
class Database;
}

namespace statehouse::detail {

class StatementCache;

/// Everything a connection is opened with.
struct SessionConfig {
  std::filesystem::path path;  ///< Absolute, or ":memory:".
  std::string database;        ///< Logical name, for errors and logs.
  connection_role role = connection_role::writer;
  pool_mode mode = pool_mode::wal;
  bool keep_log = false;  ///< The last one to close leaves the write-ahead log as it is.
  ConnectionOptions options;
  std::shared_ptr<Interrupter> interrupter;
  std::shared_ptr<spdlog::logger> logger;
};

/// What the authorizer lets pass.
enum class permission : unsigned char {
  statements,    ///< Ordinary verbs: no transaction control, no ATTACH, no PRAGMA that changes the connection.
  maintenance,   ///< VACUUM and the like: all but the settings the pool's correctness rests on.
  unrestricted,  ///< The library itself, and migrations.
};

enum class transaction_kind { deferred, immediate };

/// What had to be done to hand a connection to the next user.
enum class hygiene { clean, rolled_back, broken };

/// One open SQLite connection with its settings, statement cache, REGEXP, authorizer, stop flag and deadline.
///
/// Thread-safety: one thread at a time; only `interrupter()` may be used from others.
class Session {
 public:
  /// Opens and configures; throws Error and leaves nothing open on failure.
  explicit Session(SessionConfig config);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// `sql` must stay alive as long as the Statement.
  Statement prepare(std::string_view sql);
  /// Runs each statement of `sql` in order, ignoring rows.
  void execute_script(std::string_view sql);

  void begin(transaction_kind kind);
  /// The same, but waits for no lock; false when there is none to be had, or the job must stop.
  bool try_begin(transaction_kind kind) noexcept;
  /// Not interruptible. When it fails the transaction is rolled back before the error is thrown.
  void commit();
  /// Not interruptible; false when a transaction is still open afterwards.
  bool rollback() noexcept;
  /// Throws when SQLite has rolled the open transaction back by itself, as it may after some errors.
  void require_transaction() const;
  bool in_transaction() const noexcept { return sqlite3_get_autocommit(handle_) == 0; }
  /// True while a statement of the open transaction has left a deferred foreign key violated: it could not be
  /// committed.
  bool has_deferred_violation() const noexcept;
  /// While true, a statement outside a transaction is `errc::transaction_rolled_back`: it would be kept, although the
  /// work it belongs to is not. `begin` sets it, `commit` and `rollback` unset it. Returns what it was.
  bool expect_transaction(bool value) noexcept { return std::exchange(expects_transaction_, value); }

  /// After work that may have used `native()`: no busy statement, and the handlers are ours again.
  void settle() noexcept;
  /// Leaves nothing of the last user behind: no busy statement, no open transaction.
  hygiene clean() noexcept;
  /// Takes the settings and attached databases as they are for those that `restore_settings` goes back to.
  void remember_settings();
  /// Sets the PRAGMAs back and detaches what was attached: after work that was allowed to change them, and in no
  /// transaction. If that fails the connection is broken, and `clean` says so.
  void restore_settings() noexcept;

  /// From now on commits do not checkpoint; the owner looks at `wal_frames` and calls `checkpoint`.
  void watch_wal() noexcept;
  int page_size();
  /// Pages in the WAL after the last commit of this connection, 0 when it was truncated since.
  int wal_frames() const noexcept { return wal_frames_; }
  struct CheckpointResult {
    int frames = 0;  ///< In the WAL, afterwards.
    int moved = 0;   ///< Of those, in the database too.
  };
  /// Moves as much of the WAL into the database as its readers allow, and, if asked to and nobody reads it, cuts it to
  /// nothing. Waits for nobody, and is not interrupted.
  CheckpointResult checkpoint(bool truncate) noexcept;
  /// Before the last close of a writer: `PRAGMA optimize` within its budget, and a checkpoint. Best effort.
  void prepare_close() noexcept;
  /// `PRAGMA optimize`, bounded by `budget`; errors are logged at debug and ignored.
  void optimize(std::chrono::milliseconds budget) noexcept;

  sqlite3* handle() const noexcept { return handle_; }
  /// Marks the session for a full statement scan in `clean`, since what is done with it cannot be seen.
  SQLite::Database& native() noexcept;
  Interrupter& interrupter() const noexcept { return *config_.interrupter; }
  spdlog::logger& logger() const noexcept { return *config_.logger; }
  const SessionConfig& config() const noexcept { return config_; }

  /// While true, statements that write are refused with `errc::write_on_reader`.
  void set_read_only(bool value) noexcept { read_only_ = value; }

  /// Whether `prepare` would find the statement in the cache.
  bool has_prepared(std::string_view sql) const noexcept;
  /// How many statements `prepare` has compiled since the last call, for want of them in the cache.
  std::uint64_t take_compiled() noexcept { return std::exchange(compiled_, 0); }
  /// While true a statement gives up instead of running for more than 1000 to 2000 VM steps, or waiting for a lock.
  void set_brief(bool value) noexcept {
    brief_ = value;
    brief_checks_ = 0;
  }
  /// Whether one has given up since the last call.
  bool gave_up() noexcept { return std::exchange(gave_up_, false); }

  [[noreturn]] void fail(int result, std::string_view sql) const;
  [[noreturn]] void fail(errc code, const std::string& message, std::string_view sql) const;
  /// Throws the error of a requested stop or a passed deadline, if there is one.
  void throw_if_stopped(std::string_view sql) const;

  class PermissionScope {
   public:
    PermissionScope(Session& session, permission value) noexcept : session_(session), outer_(session.permission_) {
      session_.permission_ = value;
    }
    ~PermissionScope() { session_.permission_ = outer_; }
    PermissionScope(const PermissionScope&) = delete;
    PermissionScope& operator=(const PermissionScope&) = delete;

   private:
    Session& session_;
    permission outer_;
  };

 private:
  friend class Statement;

  void open();
  void install_handlers();
  void install_stop_handlers() noexcept;
  void configure();
  void apply_settings();
  void enable_wal();
  /// Null when there is no statement in `sql`; `rest` is what comes after the first one.
  sqlite3_stmt* compile(std::string_view sql, unsigned flags, std::string_view& rest);
  void give_back(sqlite3_stmt* statement, bool cached) noexcept;
  void run_internal(const char* sql);
  enum class control : unsigned char { begin, begin_immediate, commit, rollback };
  void run_control(control which);
  std::string pragma(const char* sql);
  void require(const char* query, const char* expected);
  std::vector<std::string> attached() const;
  void reset_statements() noexcept;
  void finalise_leftovers() noexcept;
  void close() noexcept;
  int on_authorize(int action, const char* first, const char* second) noexcept;
  int on_busy(int attempt) noexcept;
  int on_progress() noexcept;
  int give_up() noexcept;

  SessionConfig config_;
  std::unique_ptr<SQLite::Database> database_;
  sqlite3* handle_ = nullptr;
  std::unique_ptr<StatementCache> cache_;
  std::array<sqlite3_stmt*, 4> controls_{};  // by `control`, made when first needed
  permission permission_ = permission::unrestricted;
  const char* refusal_ = nullptr;                              // why the authorizer said no, for the error that follows
  std::vector<std::pair<const char*, std::string>> settings_;  // PRAGMAs by name, as remembered
  std::vector<std::string> attached_;                          // names of databases, as remembered
  sqlite3_stmt* stepping_ = nullptr;                           // what step() runs at this moment
  std::uint64_t compiled_ = 0;
  int wal_frames_ = 0;
  bool watches_wal_ = false;
  bool expects_transaction_ = false;
  bool read_only_ = false;
  bool native_used_ = false;
  bool broken_ = false;
  bool brief_ = false;
  int brief_checks_ = 0;
  bool gave_up_ = false;
  std::chrono::milliseconds patience_;  // with locks held by other processes
  Clock::time_point busy_since_{};
  const unsigned generation_;  // of forks
};

}  // namespace statehouse::detail
