#include "statehouse/backup.hpp"

#include <fcntl.h>
#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>

#include "engine/scopes.hpp"
#include "file/advice.hpp"
#include "file/file.hpp"
#include "sqlite/local_session.hpp"
#include "sqlite/system_reason.hpp"
#include "statehouse/check.hpp"
#include "statehouse/connection.hpp"

namespace statehouse {
namespace {

namespace fs = std::filesystem;
constexpr int pages_per_step = 256;
constexpr const char* sidecars[] = {"-journal", "-wal", "-shm"};

[[noreturn]] void fail(int error, const std::string& what, const fs::path& file) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, what + " '" + file.string() + "': " + code.message() + ": " + detail::advice(error));
}

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(file, ignored));
}

void check_target(const fs::path& source, const fs::path& target, bool overwrite) {
  std::error_code ignored;
  if (fs::equivalent(source, target, ignored))
    throw Error(errc::file_in_use, "'" + target.string() + "' is the database itself: give the backup another name");
  detail::require_regular_file(target);
  const boost::system::error_code taken(EEXIST, boost::system::system_category());
  if (is_there(target) && !overwrite)
    throw Error(taken, "'" + target.string() + "' exists already: give another name, or ask to overwrite it");
  for (const char* const suffix : {"-journal", "-wal"}) {
    if (!is_there(target.string() + suffix)) continue;
    throw Error(taken, "'" + target.string() + suffix +
                           "' exists: a database of that name is in use or was not closed, and SQLite would take this "
                           "file for a part of the backup. Give another name, or remove it first");
  }
}

/// A private file beside the target, gone with this object unless it was published.
class PartialFile {
 public:
  explicit PartialFile(const fs::path& target) {
    std::string name = target.string() + ".XXXXXX.partial";
    const int descriptor = ::mkostemps(name.data(), static_cast<int>(sizeof ".partial") - 1, O_CLOEXEC);
    if (descriptor < 0) fail(errno, "cannot create a file beside", target);
    ::close(descriptor);  // no connection has it open yet, so no lock can be lost
    path_ = name;
  }
  ~PartialFile() {
    ::unlink(path_.c_str());
    for (const char* const suffix : sidecars) ::unlink((path_.string() + suffix).c_str());
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const fs::path& path() const noexcept { return path_; }

  void publish(const fs::path& target, bool overwrite) const {
    sync(path_, O_RDONLY);
    detail::require_regular_file(target);
    // Somebody may have made the target meanwhile. Where the file system cannot rename without replacing, we look
    // first.
    int result = ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), overwrite ? 0 : RENAME_NOREPLACE);
    if (result != 0 && errno == EINVAL && !is_there(target)) result = ::rename(path_.c_str(), target.c_str());
    if (result != 0) fail(errno, "cannot rename the finished backup to", target);
    sync(target.parent_path(), O_RDONLY | O_DIRECTORY);
  }

 private:
  /// Only for files that no connection of this process has open.
  static void sync(const fs::path& file, int flags) {
    const int descriptor = ::open(file.c_str(), flags | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (!synced) fail(error, "cannot sync", file);
  }

  fs::path path_;
};

/// Keeps the source at one snapshot, so that no write of others makes the copy start again.
class Snapshot {
 public:
  explicit Snapshot(Reader& source) {
    detail::Session& session = detail::local_session_of(source);
    if (!session.in_transaction()) own_.emplace(session, detail::transaction_kind::deferred);
    // Only the first query takes the snapshot.
    source.query_one<int>("SELECT count(*) FROM (SELECT 1 FROM sqlite_master LIMIT 1)");
  }

 private:
  std::optional<detail::TransactionScope> own_;
};

void copy(Reader& source, const fs::path& file, const BackupOptions& options) {
  const Snapshot snapshot(source);
  std::optional<SQLite::Database> copy;
  try {
    copy.emplace(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOFOLLOW);
    copy->exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");  // nothing to go back to; synced at the end
    SQLite::Backup backup(*copy, detail::local_session_of(source).handle().database());
    int result = SQLITE_OK;
    while (result == SQLITE_OK) {
      detail::local_session_of(source).handle().throw_if_stopped({});
      result = backup.executeStep(pages_per_step);
      if (result == SQLITE_BUSY || result == SQLITE_LOCKED)
        throw Error(make_sqlite_error(result),
                    "the database cannot be read for a backup: another process holds the lock");
      if (options.on_progress)
        options.on_progress(backup.getTotalPageCount() - backup.getRemainingPageCount(), backup.getTotalPageCount());
    }
  } catch (const SQLite::Exception& error) {
    // SQLite::Backup tells one code, an extended one, as the other.
    const int result = error.getExtendedErrorCode() > 0 ? error.getExtendedErrorCode() : error.getErrorCode();
    throw Error(make_sqlite_error(result),
                std::string("the backup failed: ") + error.what() +
                    detail::system_reason(copy ? copy->getHandle() : nullptr, result),
                {detail::local_session_of(source).database(), {}});
  }
}

void verify(const fs::path& file, const ConnectionOptions& options) {
  auto copy = Connection::for_reading(file, options);
  const QuickCheck check = quick_check(copy);
  if (!check.findings.empty())
    throw Error(make_sqlite_error(SQLITE_CORRUPT),
                "the copy is damaged, so there is no backup; the database itself may be, too, check it: " +
                    check.findings.front());
}

}  // namespace

BackupReport backup(Reader& source, const fs::path& target, const BackupOptions& options) {
  detail::LocalSession& session = detail::local_session_of(source);
  const detail::SessionConfig& config = session.handle().config();
  if (sqlite3_txn_state(session.handle().get(), "main") == SQLITE_TXN_WRITE)
    session.fail(errc::operation_in_progress,
                 "a transaction that writes is open on this connection, and its changes are no committed state: "
                 "back up from a reader, or after the commit",
                 {});
  const Clock& clock = session.interrupter().clock();
  const auto start = clock.now();
  const fs::path resolved = detail::resolve_file(target);
  check_target(config.path, resolved, options.overwrite);
  const PartialFile partial(resolved);
  copy(source, partial.path(), options);
  verify(partial.path(), config.options);
  const auto bytes = static_cast<std::int64_t>(detail::file_size_or_zero(partial.path()));
  partial.publish(resolved, options.overwrite);
  return {bytes, clock.now() - start};
}

}  // namespace statehouse
