#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "statehouse/time_limit.hpp"

namespace SQLite {
class Database;
}

#pragma GCC visibility push(default)
namespace statehouse {

class Connection;

/// How the connections of one database are laid out.
enum class pool_mode {
  wal,    ///< One writer and N readers on a file in WAL mode.
  single  ///< One connection for everything; reads and writes take turns. What an in-memory database needs.
};

/// What a connection is for. Only the writer writes.
enum class connection_role { writer, reader };

/// Whether a file is looked through with `PRAGMA quick_check` when it is opened.
enum class integrity_check {
  never,
  /// Where the opening finds a -wal file (or a rollback journal) with content: SQLite removes it when the last
  /// connection is closed, and a kill, a crash or a power loss leaves it. Another process that has the file open and
  /// has written counts too, as nothing tells it from one that is gone. A kill while the log was empty, everything
  /// being in the database already, does not.
  after_unclean_shutdown,
  always
};

/// When a commit is on disk. With `normal` a committed transaction survives a crash or kill of the process; a power
/// loss may take the last ones, never consistency; the write-ahead log is then moved into the database beside the
/// writer, on a database thread. `full` syncs at every commit, and the writer moves the log.
enum class durability { normal, full };

/// Who moves the write-ahead log into the database.
enum class checkpoint_mode {
  own,  ///< The pool: see `wal_soft_limit`, and when nothing was written for a while, and at the end.
  /// Another process, Litestream for one, which is to see all of the log before it is written over: the pool never
  /// does, and leaves the log when it closes. Locks of others are waited for 5 s at least, since that process takes the
  /// write lock now and then. That nobody does it, so that the log is longer than `wal_soft_limit`, is told by the log
  /// and by health (`health_reason::log_unattended`). Of a file that is shared: not with `in_memory`, `exclusive` or a
  /// cluster.
  external,
  external_up_to_limit  ///< The same, but the pool moves a log that is longer than `wal_soft_limit`.
};

/// What is set on every connection when it is opened. The defaults are sqlx's where it has one.
struct ConnectionOptions {
  TimeLimit busy_timeout{3000};                 ///< Longest wait for a lock held by another process; 0: none.
  durability synchronous = durability::normal;  ///< What a power loss may take.
  bool foreign_keys = true;                     ///< Enforced, as sqlx does.
  /// Lets triggers, views, CHECK constraints and the like use virtual tables and functions that SQLite does not call
  /// innocuous: SQLite 3.40 needs it for a trigger that keeps an FTS5 table up to date, newer ones do not. Leave it off
  /// where strangers may hand you a database file: its schema could then call whatever `on_connect` registers
  /// (https://www.sqlite.org/pragma.html#pragma_trusted_schema). Migrations always run with it.
  bool trusted_schema = false;
  std::size_t statement_cache = 100;  ///< Prepared statements kept per connection.
  int cache_kib = 2000;               ///< Page cache per connection, KiB.
  /// The file belongs to this process from opening to shutdown: any other one, tools and backups too, is told after
  /// its `busy_timeout` that it is locked, and so are we if another has it open (`condition::busy`). The WAL's index is
  /// then in memory, not in a -shm file, and statements take no file locks (SQLite's `unix-excl`).
  bool exclusive = false;
  /// Bytes the WAL file is cut back to when the log starts anew, -1 for never. While somebody writes a file that is cut
  /// has to grow again, and all wait for both. That of an idle database is cut to nothing anyway. Unless
  /// `checkpoint_mode::external`.
  std::int64_t journal_size_limit = 64 << 20;
  TimeLimit optimize_budget{100};  ///< Longest `PRAGMA optimize` on close; none where nothing was committed since.
  /// Steps that one match of REGEXP may need, of 10 to 25 ns each: nothing can stop it once it has begun, no timeout
  /// and no shutdown. About the size of the pattern, its repetitions written out, times the bytes of the text; small
  /// patterns need few however long the text is. What could need more is an SQL error. Zero means "no limit".
  std::uint64_t regexp_budget = 1 << 24;
  bool tighten_permissions = false;  ///< chmod an existing looser file (and its -wal, -shm) to 0600 instead of warning.
  /// Name of a registered VFS that opens the file and all that belongs to it, in place of SQLite's default; one that is
  /// not registered fails the opening with `errc::invalid_option`. Not with `exclusive`, which is a VFS of its own.
  std::string vfs{};
  /// Called for every connection as soon as it is open, before any statement: the key of an encrypted database
  /// (`PRAGMA key`). Also for those that check the file at startup, checkpoint beside the writer, and make, check and
  /// restore backups, which so have the same key; for what writes and what reads as `connection_role` says. Must run no
  /// statement that reads the database, and set nothing that `on_connect` could. An exception fails the opening. Runs
  /// on the thread that opens, for several connections at the same time.
  std::function<void(SQLite::Database&, connection_role)> on_open{};
  /// Called for every connection after all settings, before anyone else can use it: register functions, collations,
  /// further PRAGMAs. An exception fails the opening: of a reader that of the read, of the writer that of the database.
  /// Runs on a database thread, for several connections at the same time.
  std::function<void(Connection&, connection_role)> on_connect{};
};

/// A database that a cluster of nodes keeps, in place of a file: see the page "Cluster" of the guides.
struct ClusterOptions {
  /// Addresses HOST:PORT of some or all nodes; which of them leads is found out. Empty: no cluster, a file.
  std::vector<std::string> nodes{};
  /// What the database is called in the cluster, by the rules of database names. Empty: as its file would be called,
  /// with `dev_prefix`.
  std::string database{};
  TimeLimit dial_timeout{1000};   ///< Longest wait for one node to answer, before another one is asked; 0 for none.
  TimeLimit find_leader{15'000};  ///< Longest search for the node that leads; then `errc::unavailable`. 0 for none.
};

/// Backups that a pool makes by itself, as `backup_into` does. A connection of their own reads, in slices on a database
/// thread, at most one at a time for all databases of an AppState; the check at the end is in one piece, for which all
/// else waits where there is no second thread. The write-ahead log cannot be cut meanwhile and grows.
/// Of a file only, not of a database in memory. One that fails is tried again after 5 minutes, or `every` if that is
/// less.
struct BackupScheduleOptions {
  /// From one to the next, also if the service was stopped in between: it begins with the latest one that is there.
  /// Looked at once a second. Zero, or less: none are made.
  TimeLimit every{0};
  /// So many of the latest stay; 0: all.
  std::size_t keep = 7;
  /// Relative to that of the database. An absolute one has the directories of its name below it, /backup/tenants/42.
  /// Made when it is missing.
  std::filesystem::path directory = "backups";
};

/// How a pool behaves. Limits of zero mean "no limit"; a negative one is over at once.
struct PoolOptions {
  pool_mode mode = pool_mode::wal;  ///< One writer and N readers, or one connection for everything.
  bool in_memory = false;           ///< No file: the data lives until shutdown. Implies `pool_mode::single`.
  /// The file is somebody else's, who writes it, in this process or another: readers only. Nothing is created, changed,
  /// migrated, checkpointed or backed up by schedule. What writes fails with `errc::write_on_reader`. A missing file
  /// fails the opening, and so does one that has not had all migrations of its Migrator, with
  /// `errc::migration_pending`. A rollback journal that a crash has left has to be played back by who writes. Not with
  /// `in_memory`, `pool_mode::single`, another `checkpoint` than `own`, `backup`, `cluster`,
  /// `ConnectionOptions::exclusive` or `tighten_permissions`: `errc::invalid_option`. Nor beside one of this process
  /// who has the file `exclusive`: `errc::file_in_use`.
  bool read_only = false;
  /// With `read_only`: nobody writes the file while it is open. SQLite then takes no locks, looks for no changes, and
  /// needs neither -wal nor -shm: for a read-only medium. Whoever writes it all the same has reads give wrong results;
  /// a pool, a Connection and a restore of this process are refused with `errc::file_in_use`. A file that has a log or
  /// a rollback journal with content is refused.
  bool immutable = false;
  unsigned readers = 0;             ///< Most reader connections; 0 means one per core, at least 2 and at most 4.
  TimeLimit acquire_timeout{3000};  ///< Longest wait for a free connection.
  TimeLimit run_timeout{0};         ///< Longest run once a connection is there.
  /// Run a query on the calling thread when a reader is idle, has its statement prepared, and the statement has been
  /// quick. What takes more than 1000 to 2000 steps of SQLite's virtual machine, some ten microseconds, is given up,
  /// run on a database thread, and not tried again; functions of `on_connect` are then called there once more. What
  /// took more than 100 us, for a page of the file that came from the disk perhaps, runs on database threads until it
  /// has been quicker 16 times in a row. Saves two thread switches. Off by default, as the first of such pages is
  /// waited for by the calling thread.
  bool inline_reads = false;
  std::size_t max_waiting = 10'000;  ///< More waiting operations per lane fail with `errc::queue_full`.
  TimeLimit slow_statement{1000};    ///< Runs longer than this are logged at warn.
  TimeLimit slow_acquire{1000};      ///< Waits longer than this are logged at warn.
  TimeLimit long_lease{5000};        ///< Transactions and leases held longer are logged at warn.
  /// A reader is opened when a read finds all others busy. Those that were not used for so long are closed, and when
  /// nobody uses the writer either, that as well: the database sleeps, with neither a descriptor nor a -wal or -shm.
  /// Whoever uses it next waits for a moment until it is open again; migrations run only if another process has had the
  /// file meanwhile. Looked at once a second; 0 is never. A database in memory, of a cluster, with
  /// `ConnectionOptions::exclusive` or another `checkpoint` than `own` keeps its writer.
  TimeLimit idle_close = std::chrono::minutes(1);
  /// Bytes of the write-ahead log above which readers are held back, for at most 10 ms, so that it can be cut. At
  /// half of it, at most 32 MiB, the log is to start anew. A longer log than this means that a read takes long, which
  /// is then named in the log once a minute, that another process reads, or that one closure writes all this.
  std::uint64_t wal_soft_limit = 64 << 20;
  checkpoint_mode checkpoint = checkpoint_mode::own;  ///< Who moves the write-ahead log into the database.
  /// Looks for damage before the migrations run and anybody is served, on a connection that only reads. Findings fail
  /// the opening with `errc::file_damaged`: the file and its log are left byte for byte, and the next call looks again.
  /// (Only a rollback journal is played back: without that nobody can read the file.) Costs about a second for 200 MB
  /// that the system has cached, more from a disk. Whether indexes agree with their tables, and rows with their CHECK
  /// constraints, is not looked at. `on_connect` is called for it as for a reader.
  integrity_check startup_check = integrity_check::never;
  std::uint64_t startup_check_max_bytes = 1 << 30;  ///< A larger file with its log is not checked, with a warning.
  TimeLimit startup_check_timeout{10'000};          ///< Then the check is given up, with a warning.
  bool required = true;  ///< Without it, from its first mention on, the service is not ready: `DbInstances::health`.
  ConnectionOptions connection{};  ///< Of each connection.
  BackupScheduleOptions backup{};  ///< Backups by itself.
  ClusterOptions cluster{};        ///< Where the database is not a file of this machine.
};

/// Limits of one call, as in PoolOptions; what is not given comes from the pool's. `run_timeout` applies to every verb.
/// The others apply to those of a Pool, and are ignored elsewhere: in a Transaction, on a lease and in a closure the
/// connection is there already, and nothing is shared with others.
struct CallOptions {
  std::optional<TimeLimit> timeout{};      ///< Longest wait for a free connection.
  std::optional<TimeLimit> run_timeout{};  ///< Longest run once it is there, lock waits included.
  std::optional<bool> inline_read{};       ///< For queries: see `PoolOptions::inline_reads`.
  /// For `write(f)`: `f` may share a transaction with other writes that wait, inside a savepoint of its own. Many small
  /// writes then cost one commit. `f` is called once more, alone, if that transaction is lost, for whoever's sake.
  bool group_commit = false;
};

}  // namespace statehouse
#pragma GCC visibility pop
