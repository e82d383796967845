#include "sqlite/backup_run.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Exception.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "engine/connection_access.hpp"
#include "file/file.hpp"
#include "sqlite/system_reason.hpp"
#include "statehouse/check.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::detail {
namespace {

namespace fs = std::filesystem;
constexpr int pages_per_step = 256;
/// Between two syncs, 8 MiB of usual pages: one of all at the end would keep a shutdown, and the disk from the commits.
constexpr int steps_per_sync = 8;

void check_target(const fs::path& source, const fs::path& target, bool overwrite) {
  std::error_code ignored;
  if (fs::equivalent(source, target, ignored))
    throw Error(errc::file_in_use, "'" + target.string() + "' is the database itself: give the backup another name");
  require_regular_file(target);
  const boost::system::error_code taken(EEXIST, boost::system::system_category());
  if (identify(target) && !overwrite)
    throw Error(taken, "'" + target.string() + "' exists already: give another name, or ask to overwrite it");
  for (const char* const suffix : {"-journal", "-wal"}) {
    if (!identify(target.string() + suffix)) continue;
    throw Error(taken, "'" + target.string() + suffix +
                           "' exists: a database of that name is in use or was not closed, and SQLite would take this "
                           "file for a part of the backup. Give another name, or remove it first");
  }
}

/// While it lives, what stops the source stops a connection that was opened with its interrupter.
class SharedInterrupter {
 public:
  explicit SharedInterrupter(LocalSession& source) : source_(source) {}
  ~SharedInterrupter() {
    source_.interrupter().attach(&source_, [db = source_.handle().get()] { sqlite3_interrupt(db); });
  }
  SharedInterrupter(const SharedInterrupter&) = delete;
  SharedInterrupter& operator=(const SharedInterrupter&) = delete;

 private:
  LocalSession& source_;
};

}  // namespace

BackupRun::Snapshot::Snapshot(Reader& source) {
  Session& session = session_of(source);
  if (!session.in_transaction()) own_.emplace(session, transaction_kind::deferred);
  // Only the first query takes the snapshot.
  source.query_one<int>("SELECT count(*) FROM (SELECT 1 FROM sqlite_master LIMIT 1)");
}

/// What SQLite throws, as an error of ours.
template <class Step>
auto BackupRun::translated(Step step) {
  try {
    return step();
  } catch (const SQLite::Exception& error) {
    // SQLite::Backup tells one code, an extended one, as the other.
    const int result = error.getExtendedErrorCode() > 0 ? error.getExtendedErrorCode() : error.getErrorCode();
    throw Error(
        make_sqlite_error(result),
        std::string("the backup failed: ") + error.what() + system_reason(copy_ ? copy_->getHandle() : nullptr, result),
        {session_.database(), {}});
  }
}

BackupRun::BackupRun(Reader& source, const fs::path& target, bool overwrite)
    : session_(local_session_of(source)), target_(resolve_file(target)), overwrite_(overwrite) {
  if (sqlite3_txn_state(session_.handle().get(), "main") == SQLITE_TXN_WRITE)
    session_.fail(errc::operation_in_progress,
                  "a transaction that writes is open on this connection, and its changes are no committed state: "
                  "back up from a reader, or after the commit",
                  {});
  check_target(session_.handle().config().path, target_, overwrite_);
  partial_ = std::make_unique<PartialFile>(target_, "backup");
  snapshot_ = std::make_unique<Snapshot>(source);
  translated([this] {
    const ConnectionOptions& options = session_.handle().config().options;
    copy_ = std::make_unique<SQLite::Database>(partial_->path().string(),
                                               SQLite::OPEN_READWRITE | SQLite::OPEN_NOFOLLOW, 0, options.vfs);
    if (options.on_open) options.on_open(*copy_, connection_role::writer);
    copy_->exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");  // nothing to go back to; synced at the end
    copying_ = std::make_unique<SQLite::Backup>(*copy_, session_.handle().database());
  });
}

bool BackupRun::step() {
  session_.handle().throw_if_stopped({});
  const int result = translated([this] { return copying_->executeStep(pages_per_step); });
  if (result == SQLITE_BUSY || result == SQLITE_LOCKED)
    throw Error(make_sqlite_error(result), "the database cannot be read for a backup: another process holds the lock");
  if (++steps_ % steps_per_sync == 0) partial_->sync();
  return result == SQLITE_OK;
}

std::int64_t BackupRun::finish() {
  copying_.reset();
  copy_.reset();
  snapshot_.reset();
  verify();
  const auto bytes = static_cast<std::int64_t>(file_size_or_zero(partial_->path()));
  partial_->publish(overwrite_);
  partial_.reset();
  return bytes;
}

void BackupRun::verify() const {
  const SessionConfig& config = session_.handle().config();
  const SharedInterrupter shared(session_);
  const auto copy =
      connect(std::make_unique<LocalSession>(SessionConfig{.path = partial_->path(),
                                                           .context = {.database = session_.database(),
                                                                       .role = connection_role::reader,
                                                                       .interrupter = session_.context().interrupter,
                                                                       .logger = config.context.logger},
                                                           .options = config.options}),
              config.options);
  const QuickCheck check = quick_check(*copy);
  if (check.findings.empty() && check.finished) return;
  if (!check.finished) session_.handle().throw_if_stopped({});
  throw Error(make_sqlite_error(SQLITE_CORRUPT),
              "the copy is damaged, so there is no backup; the database itself may be, too, check it: " +
                  check.findings.front());
}

}  // namespace statehouse::detail
