#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/health.hpp"
#include "statehouse/migrate_all.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/pool.hpp"
#include "statehouse/stats.hpp"

namespace statehouse {

namespace detail {
class Registry;
}
#pragma GCC visibility push(default)

class AppState;

/// How long a shutdown may take. Zero is at once.
struct ShutdownOptions {
  TimeLimit grace{5000};     ///< How long running work and held transactions may finish by themselves.
  TimeLimit deadline{8000};  ///< When shutdown returns at the latest; counted from the same moment.
};

/// How a shutdown went.
struct ShutdownReport {
  /// How it went for one database.
  struct Database {
    std::string name;             ///< Logical name.
    bool closed = false;          ///< Every connection is closed; no descriptor of ours is left and, but for a failure,
                                  ///< no -wal or -shm.
    std::string failure;          ///< Why the last checkpoint failed, and that the -wal stays for the next opening.
    bool interrupted = false;     ///< Work had to be stopped, or a held connection taken back, after the grace time.
    std::vector<Holder> holders;  ///< Who still held a connection when the deadline passed, or what the pool itself was
                                  ///< at: `where` is the file then, of a "backup", a "checkpoint", the "close".
    std::chrono::milliseconds took{0};  ///< From the beginning of the shutdown to its end, or to the report.
  };
  std::vector<Database> databases;  ///< Those that were open.
  /// True when every database is closed, without a failure.
  bool clean() const noexcept;
};

/// The databases of one data directory by name. Each is opened once, on first use.
///
/// Thread-safety: every member from any thread. Names follow DatabaseName; `x` and `x.db` are the same database. In a
/// child after fork() every call is `errc::forked_process`.
///
/// Patterns, in `add_migrator`, `configure` and `migrate_all`, are names with `*` in them: any part of one segment, or
/// as
/// `**` one segment or several. `tenants/*/state` is that database of every tenant, `**` is every database. What a
/// pattern gives is shared by all that match, and is of those that are opened for the first time after it was said. For
/// a name of which something is said by itself that counts, else the pattern that was said first.
class DbInstances {
 public:
  /// The migrations that run when `name` is opened. Before the first `get_pool(name)`, else `errc::already_open`; a
  /// second call for the same name or pattern replaces the first. Throws Error with `errc::invalid_name`.
  void add_migrator(std::string_view name, Migrator migrator);

  /// The options of this database, as a whole in place of `AppStateOptions::pool`: `durability::full` for the one that
  /// needs it, a database in memory beside files. When and with which errors as `add_migrator`.
  void configure(std::string_view name, PoolOptions options);

  /// Brings every database up to date whose file is in the data directory and whose name `pattern` matches, before the
  /// service has requests, or beside it: opens, migrates and closes each, at most `options.concurrency` at once. None
  /// is kept open, nor known afterwards; who calls `get_pool` for one meanwhile waits until it is closed. What fails,
  /// fails for itself: it is in the report and in the log, and tried again by the next `get_pool`.
  ///
  /// Executor: the caller's. Cancellation: any type, and a shutdown; no other is begun, those that are run to their
  /// end, and the report says how many were left. Errors: Error with `errc::invalid_name` for the pattern,
  /// `not_initialised`, `closed`, or in the system category for a directory that cannot be looked into; what
  /// `options.progress` throws.
  asio::awaitable<MigrateAllReport> migrate_all(std::string_view pattern = "**", MigrateAllOptions options = {}) const;

  /// The pool of `name`. Open already: completes without suspending. Else the first caller has the file created, opened
  /// and migrated on a database thread, and everyone who asks meanwhile waits for that one opening; databases do not
  /// wait for each other. When it fails all of them get the error, nothing is kept, and the next call tries again.
  ///
  /// Executor: the caller's. Cancellation: any type, detaches this caller only; the opening goes on. Errors: Error with
  /// `errc::invalid_name`, `not_initialised`, `closed`, `acquire_timeout` when `options.timeout` passes (default: no
  /// limit, since migrations may take their time) or the opening gets no connection within the pool's
  /// `acquire_timeout`, `file_replaced` or `sync_failed` after the file, or a part of it, was lost under the open pool, a
  /// MigrationError, or what the file system or SQLite said.
  asio::awaitable<Pool> get_pool(std::string_view name, CallOptions options = {}) const;

  /// The pool of `name` if it is open: nothing when it is not, not any more, or failed. Never waits. Throws Error with
  /// `errc::invalid_name`.
  std::optional<Pool> try_get_pool(std::string_view name) const;

  /// Where the file of `name` is or would be; empty for a database of a cluster. Throws Error with
  /// `errc::invalid_name`, or `not_initialised`.
  std::filesystem::path db_path(std::string_view name) const;

  /// Logical names of the databases that are open, or asleep, sorted.
  std::vector<std::string> names() const;

  /// One entry per database that was ever asked for, sorted by name. No I/O through SQLite: safe to call every second.
  std::vector<DatabaseStats> stats() const;

  /// The same for a service of many databases, at a cost that grows with those that are awake: all of them as long as
  /// they are at most `named`. Of more than that, the ones that had the most operations when they were seen awake are
  /// by themselves, and stay so; all others are summed up. A database that comes to be by itself leaves what it has
  /// counted so far in the sum, so that this never falls: rates are right, and totals count that part twice. For one
  /// scrape after the other; `named` is to be the same each time.
  StatsSummary stats_summary(std::size_t named = 100) const;

  /// Whether the service can work, for the probes of whoever runs it: what is known without any I/O, so it may be asked
  /// as often as one likes. It tells of each database from when its name is first mentioned, by `add_migrator`,
  /// `configure` or `get_pool`; those with `PoolOptions::required` count for the service.
  Health health() const;

  /// Closes this database and reports: an entry in the report, or none if it was not open. Handles, calls of get_pool
  /// that wait for its opening and all that waits on it fail with `errc::closed`; the rest is as in `shutdown`. The next
  /// `get_pool` opens it again when it is closed, with the same migrator and options. Where it sleeps there is nothing
  /// to close, and its handles and memory go. Cancellation: as in `shutdown`. Throws Error with `errc::invalid_name`,
  /// `not_initialised` or `closed`.
  asio::awaitable<ShutdownReport> close(std::string_view name, ShutdownOptions options = {}) const;

  /// The same, and deletes its file, and what SQLite keeps beside it: for good, but for backups. True when there was
  /// one. The next `get_pool` makes a new one when that is done. Throws Error like `close`, with `errc::file_in_use`
  /// while another process has the file open, `acquire_timeout` when the deadline passes and somebody of this one still
  /// has, `not_supported` for a database of a cluster, or what the file system said; in all these cases the file is
  /// there, and the database closed.
  asio::awaitable<bool> remove(std::string_view name, ShutdownOptions options = {}) const;

  /// Closes everything and reports. New calls and waiting operations fail with `errc::closed` at once; what runs may
  /// finish within `grace`, is then interrupted and rolled back, and connections held by transactions and leases are
  /// taken back. Readers close before the writer, which checkpoints. Safe at any time, from several callers (the
  /// earliest grace and deadline win), during openings. Cancellation: ignored; but in a coroutine that is cancelled
  /// already Asio throws at the `co_await`, before anything has begun. Never throws for a stuck database: read the
  /// report.
  asio::awaitable<ShutdownReport> shutdown(ShutdownOptions options = {}) const;

 private:
  friend class AppState;
  explicit DbInstances(std::shared_ptr<detail::Registry> registry) noexcept;

  std::shared_ptr<detail::Registry> registry_;
};

}  // namespace statehouse
#pragma GCC visibility pop
