#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>

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

}  // namespace statehouse
