#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "statehouse/options.hpp"

/// Copies of databases: making them, keeping the latest ones, and putting one in place of a database.
#pragma GCC visibility push(default)
namespace statehouse {

class Reader;

/// How a backup is made.
struct BackupOptions {
  bool overwrite = false;  ///< Replace an existing regular file, in one step at the end; never anything else.
  /// Called on the copying thread now and then. If it throws, the backup ends with that exception.
  std::function<void(std::int64_t pages, std::int64_t total)> on_progress{};
};

/// What a backup has come to.
struct BackupReport {
  std::int64_t bytes = 0;               ///< Size of the copy.
  std::chrono::nanoseconds elapsed{0};  ///< Checking and syncing included.
};

/// Copies the whole database of `source` into the new file `target`: one committed state, that of the transaction
/// `source` is in, else of this moment. In WAL mode nobody waits for it, however long it takes, but the log cannot be
/// reset meanwhile and grows. In a pool: `co_await pool.read(f)` with an `f` that calls this.
///
/// The copy is made beside `target` in a file `<target>.XXXXXX.partial`, checked (`quick_check`), synced, then renamed,
/// with mode 0600: under its own name it is complete or not there. After a kill the partial file may be left.
///
/// Blocks the calling thread; a stop request or deadline of the connection ends it. Throws Error: in the system
/// category with EEXIST when `target` exists and may not be overwritten, or has a -wal or -journal beside it, which
/// would belong to another database; `errc::not_a_regular_file` when there is a directory, a symbolic link, a device, a
/// FIFO or a socket of that name; `errc::file_in_use` when it is the database itself; `errc::operation_in_progress`
/// inside a transaction that has written; SQLITE_CORRUPT when the copy is damaged.
BackupReport backup(Reader& source, const std::filesystem::path& target, const BackupOptions& options = {});

/// One of several backups of a database.
struct KeptBackup {
  std::filesystem::path file;                  ///< Where it is.
  BackupReport report;                         ///< As of `backup`.
  std::vector<std::filesystem::path> removed;  ///< Older ones, and what is missing of them is `keep`.
};

/// The same into a file of `directory`, which is made with mode 0700 if it is missing, and then removes all older ones
/// but the latest `keep`, 0 keeps all: this one stays, unless somebody else makes one of a later state there at once.
/// `options.overwrite` is not looked at.
///
/// The file's name is that of the database, the time in UTC, and a hash of the database's directory:
/// `context.db.20251201T093000.123Z.5f0c3a97.backup`. So the names sort by time, and several databases, of one name
/// even, may share a directory. Only regular files with such a name of this database are ever removed, never one that
/// somebody uses (there is a -wal or -journal beside it), and none unless the new one is complete and checked. What a
/// killed process has left half made is removed before.
///
/// Throws what `backup` does; in the system category when an older one cannot be removed: the new one is there then.
KeptBackup backup_into(Reader& source, const std::filesystem::path& directory, std::size_t keep,
                       const BackupOptions& options = {});

/// What `backup_into` has made in `directory` of the database file `database`, at the place where it is, oldest first.
/// The database itself need not be there. Throws Error in the system category.
std::vector<std::filesystem::path> backups_of(const std::filesystem::path& database,
                                              const std::filesystem::path& directory);

/// How a backup is restored.
struct RestoreOptions {
  ConnectionOptions connection{};  ///< Of the connection that checks it: `on_connect` for collations of your own.
  /// Called now and then. If it throws, nothing has happened.
  std::function<void(std::int64_t bytes, std::int64_t total)> on_progress{};
};

/// What a restore has come to.
struct RestoreReport {
  std::int64_t bytes = 0;               ///< Size of the database.
  std::chrono::nanoseconds elapsed{0};  ///< Checking and syncing included.
  std::filesystem::path kept;           ///< Where the database that was there is now; empty when none was.
};

/// Puts a copy of the file `backup` in place of the database `database`, or where there is none yet. What was there is
/// kept, byte for byte, as `<database>.20251201T093000.123Z.replaced`, its -wal and -journal with it.
///
/// The copy is made beside the database, checked (`quick_check`), synced, then renamed: until that last step the
/// database is what it was, but that a kill in between may leave it under both names, which opening it tells
/// (`errc::hard_linked`); then call this again. It has owner and mode of what it replaces; where nothing was, mode 0600
/// and the directory's owner, if the process may give it away. What killed calls have left of their copies is removed.
///
/// Nobody may have the database open, or open it meanwhile. Who has it open in WAL mode, as pools, the tool and
/// statehouse's connections do, is found: `errc::file_in_use`. Of those who open it meanwhile, they find that it was
/// replaced (`errc::file_replaced`); another program, `sqlite3` for instance, that waits for the lock goes on with the
/// old file and the new one's log, which damages it. No connection of this process may be in a transaction on `backup`:
/// it could lose its locks. Where the database is found open this process keeps a descriptor of it, for that reason,
/// until it is found free. Blocks the calling thread. Throws Error: `errc::file_in_use` as well when
/// `backup` is the database; `errc::file_replaced` when somebody else makes, moves or replaces the database meanwhile;
/// SQLITE_CORRUPT or SQLITE_NOTADB when the backup is damaged or none; `errc::hard_linked` when the backup has a second
/// name, beside which its log may be; `errc::not_a_regular_file` when one of the two is something else; in the system
/// category when there is no backup, when it has a -wal or -journal (it is in use, or no backup: make one of it), when
/// the disk is full.
RestoreReport restore(const std::filesystem::path& backup, const std::filesystem::path& database,
                      const RestoreOptions& options = {});

}  // namespace statehouse
#pragma GCC visibility pop
