#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/vfs_option.hpp"
#include "file/advice.hpp"
#include "file/file.hpp"
#include "file/partial_file.hpp"
#include "file/whole_file_lock.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/check.hpp"
#include "statehouse/connection.hpp"
#include "text/utc_stamp.hpp"

namespace statehouse {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t bytes_per_step = 1 << 20;

[[noreturn]] void fail_restoring(int error, const char* what, const fs::path& file) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, std::string(what) + " '" + file.string() + "': " + code.message() + ": " + detail::advice(error));
}

/// Closed with this object.
class Descriptor {
 public:
  explicit Descriptor(const fs::path& file) : number_(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) {
    if (number_ < 0) fail_restoring(errno, "cannot read the backup", file);
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const noexcept { return number_; }

 private:
  const int number_;
};

nlink_t names_of(const fs::path& file) noexcept {
  struct stat status {};
  return ::lstat(file.c_str(), &status) == 0 ? status.st_nlink : 0;
}

void check_backup(const fs::path& backup, const fs::path& database) {
  const auto identity = detail::identify(backup);
  if (!identity) fail_restoring(errno, "cannot read the backup", backup);
  detail::require_regular_file(backup);
  if (identity == detail::identify(database))
    throw Error(errc::file_in_use, "'" + backup.string() + "' is the database itself: name a backup of it");
  // Its log may be beside the other name.
  if (names_of(backup) > 1)
    throw Error(errc::hard_linked,
                "'" + backup.string() +
                    "' has a second name, so it may be a database, whose latest commits are in a log "
                    "beside that: restore a copy of it, if it is a backup");
  for (const char* const suffix : {"-journal", "-wal"}) {
    if (!detail::identify(backup.string() + suffix)) continue;
    throw Error(
        {EEXIST, boost::system::system_category()},
        "'" + backup.string() + suffix +
            "' exists: that database is in use or was not closed, and is no backup. Make one of it ('statehouse "
            "db backup'), and restore that");
  }
}

/// A disk that is full takes a part, and only refuses the rest with a reason.
void write_all(const detail::PartialFile& to, const char* bytes, std::size_t count, std::int64_t at) {
  while (count > 0) {
    const ssize_t written = ::pwrite(to.descriptor(), bytes, count, at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_restoring(errno, "cannot write", to.path());
    bytes += written;
    count -= static_cast<std::size_t>(written);
    at += written;
  }
}

/// With bytes of our own, so that a file system that nobody may write to can be read, too.
std::int64_t copy_bytes(const fs::path& from, const detail::PartialFile& to, const RestoreOptions& options) {
  const Descriptor source(from);
  const auto total = static_cast<std::int64_t>(detail::file_size_or_zero(from));
  std::vector<char> buffer(bytes_per_step);
  std::int64_t done = 0;
  for (;;) {
    const ssize_t got = ::pread(source.number(), buffer.data(), buffer.size(), done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_restoring(errno, "cannot read the backup", from);
    if (got == 0) return done;
    write_all(to, buffer.data(), static_cast<std::size_t>(got), done);
    done += got;
    if (options.on_progress) options.on_progress(done, total);
  }
}

/// What will be used, not what was copied from.
void check_copy(const fs::path& copy, const fs::path& backup, const ConnectionOptions& options) {
  const std::string what = "'" + backup.string() + "' ";
  if (detail::file_size_or_zero(copy) == 0)
    throw Error(make_sqlite_error(SQLITE_NOTADB), what + "is an empty file, and no backup");
  QuickCheck check;
  try {
    auto connection = Connection::for_reading(copy, options);
    check = quick_check(connection);
  } catch (const Error& error) {
    if (!is_damage(error.code())) throw;
    throw Error(error.code(), what + "cannot be read as a database, and nothing was changed: take an older one" +
                                  (detail::encrypts(options) ? ", if the key is right" : ""));
  }
  if (check.findings.empty()) return;
  throw Error(make_sqlite_error(SQLITE_CORRUPT),
              what + "is damaged, and nothing was changed: take an older one; " + check.findings.front());
}

/// Owner and mode of what is replaced, or the owner of the directory: a service is to open it, whoever restores it.
void take_access(const fs::path& database, const detail::PartialFile& copy, bool replaces) {
  struct stat model {};
  struct stat own {};
  const fs::path& like = replaces ? database : database.parent_path();
  if (::lstat(like.c_str(), &model) != 0 || ::fstat(copy.descriptor(), &own) != 0) return;
  const bool same = own.st_uid == model.st_uid && own.st_gid == model.st_gid;
  const bool given = same || ::fchown(copy.descriptor(), model.st_uid, model.st_gid) == 0;
  if (!replaces) return;  // nobody's yet: who may not give it away keeps it
  if (!given && model.st_uid != own.st_uid)
    fail_restoring(errno, "cannot give the owner of the database to", copy.path());
  const mode_t of_whom = given ? 0777 : 0707;  // another group than it was for
  if (::fchmod(copy.descriptor(), model.st_mode & of_whom) != 0)
    fail_restoring(errno, "cannot give the mode of the database to", copy.path());
}

/// Of restores that were killed: each has the size of a database.
void remove_half_made(const fs::path& database) {
  std::error_code error;
  for (fs::directory_iterator entry(database.parent_path(), error), end; !error && entry != end; entry.increment(error))
    if (detail::target_of_partial(entry->path().filename().string()) == database.filename().string())
      detail::remove_abandoned(entry->path());
}

constexpr std::string_view kept_ending = ".replaced";

/// The name for what is replaced: one that it has already, given by a restore that was killed, else one of now. Under a
/// third one it would be without the log that has gone to the second.
fs::path name_of_kept(const fs::path& database) {
  const std::string prefix = database.filename().string() + '.';
  if (names_of(database) > 1)
    for (const auto& entry : fs::directory_iterator(database.parent_path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix) && name.ends_with(kept_ending) &&
          detail::identify(entry.path()) == detail::identify(database))
        return entry.path();
    }
  const auto now = std::chrono::floor<detail::UtcTime::duration>(std::chrono::system_clock::now());
  return database.parent_path() / (prefix + detail::utc_stamp(now)).append(kept_ending);
}

/// The error; 0 also when there is nothing to move.
int move_if_there(const fs::path& from, const fs::path& to) noexcept {
  if (!detail::identify(from)) return 0;
  if (detail::identify(to)) return EEXIST;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

[[noreturn]] void fail_linking(int error, const fs::path& kept) {
  constexpr const char* what = "cannot keep the database that is replaced as";
  if (error != EPERM && error != EOPNOTSUPP) fail_restoring(error, what, kept);
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, std::string(what) + " '" + kept.string() + "': " + code.message() +
                        ": the file system has no hard links, or the file is another user's: restore beside it, and "
                        "exchange the two by hand while nobody has them open, or run this as that user");
}

/// Gives the database a second name, and its log and journal that name alone. From here to the end it can only be found
/// whole under the new one, and not be opened under the old one; what follows is one step.
void keep_replaced(const fs::path& database, const fs::path& kept) {
  if (const auto old = detail::identify(database); old && old != detail::identify(kept)) {
    if (::link(database.c_str(), kept.c_str()) != 0) fail_linking(errno, kept);
    detail::sync_directory(database.parent_path());  // before it is without its log
  }
  for (const char* const suffix : {"-wal", "-journal"})
    if (const int error = move_if_there(database.string() + suffix, kept.string() + suffix); error != 0)
      fail_restoring(error, "cannot keep what belongs to the database that is replaced as", kept.string() + suffix);
  ::unlink((database.string() + "-shm").c_str());  // the index of the log, which the next one to open it makes anew
  detail::sync_directory(database.parent_path());
}

/// After a step of the exchange has failed: the database has its one name and its log again. False when that failed,
/// too: then it keeps both names, with which it is not opened without its log.
bool put_back(const fs::path& database, const fs::path& kept) {
  const auto old = detail::identify(kept);
  if (!old || old != detail::identify(database)) return true;
  bool whole = true;
  for (const char* const suffix : {"-wal", "-journal"})
    whole = move_if_there(kept.string() + suffix, database.string() + suffix) == 0 && whole;
  return whole && ::unlink(kept.c_str()) == 0;
}

/// Copying has taken its time, and what came meanwhile may be in use.
void check_still_same(const fs::path& database, const std::optional<detail::FileClaim>& claim) {
  detail::require_regular_file(database);
  if (claim ? claim->still_there() : !detail::identify(database)) return;
  throw Error(errc::file_replaced,
              "'" + database.string() +
                  "' was made, moved or replaced by somebody else during the restore: stop who uses it first");
}

bool is_now(const fs::path& database, const detail::PartialFile& copy) {
  struct stat status {};
  return ::fstat(copy.descriptor(), &status) == 0 &&
         detail::identify(database) == detail::FileIdentity(status.st_dev, status.st_ino);
}

void exchange(const fs::path& database, const detail::PartialFile& copy, const fs::path& kept, bool replaces) {
  try {
    keep_replaced(database, kept);
    copy.publish(replaces);
  } catch (const Error& error) {
    if (is_now(database, copy))
      throw Error(error.code(), error.message() + "; '" + database.string() + "' is the backup now" +
                                    (replaces ? ", and what was there is '" + kept.string() + "'" : std::string()) +
                                    ", but a power loss may undo that");
    if (put_back(database, kept)) throw;
    throw Error(error.code(), error.message() + "; '" + database.string() + "' is '" + kept.string() +
                                  "' as well now, and what belongs to it is beside one of them: restore again, or give "
                                  "it one name with all of that beside it");
  }
}

}  // namespace

RestoreReport restore(const fs::path& backup, const fs::path& database, const RestoreOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const fs::path source = detail::resolve_file(backup);
  const fs::path target = detail::resolve_file(database);
  check_backup(source, target);
  detail::require_regular_file(target);
  RestoreReport report;
  std::optional<detail::FileClaim> claim;  // before the lock, whose end would be that of our own connections' locks
  std::optional<detail::WholeFileLock> lock;
  const bool replaces = detail::identify(target).has_value();
  if (replaces) {
    claim.emplace(target);
    lock.emplace(target);
  }
  remove_half_made(target);  // they take the room
  const detail::PartialFile copy(target, "database");
  report.bytes = copy_bytes(source, copy, options);
  check_copy(copy.path(), source, options.connection);
  take_access(target, copy, replaces);
  copy.sync();  // takes long, and may find the disk full
  check_still_same(target, claim);
  const fs::path kept = name_of_kept(target);
  exchange(target, copy, kept, replaces);
  if (replaces) report.kept = kept;
  report.elapsed = std::chrono::steady_clock::now() - start;
  return report;
}

}  // namespace statehouse
