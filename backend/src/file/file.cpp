#include "file/file.hpp"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>

#include "file/advice.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(int error, const std::string& what, const fs::path& path) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, what + " '" + path.string() + "': " + code.message() + ": " + advice(error));
}

bool directory_exists(const fs::path& path, const std::string& what) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return false;
    fail(errno, "cannot use the " + what, path);
  }
  if (!S_ISDIR(status.st_mode)) fail(ENOTDIR, "cannot use the " + what, path);
  return true;
}

/// Makes the names in a directory last: until then a power loss may take a new one, with all that is behind it. Where
/// that is impossible (a directory that may not be read) we go on without, as SQLite does.
void sync_names(const fs::path& directory) noexcept {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

/// mkdir -p with a mode that does not depend on the umask, for the directories we create only.
void make_directories(const fs::path& directory, const std::string& what) {
  if (directory_exists(directory, what)) return;
  make_directories(directory.parent_path(), what);
  if (::mkdir(directory.c_str(), 0700) != 0) {
    const int error = errno;
    if (error == EEXIST && directory_exists(directory, what)) return;  // somebody else was faster
    fail(error, "cannot create the " + what, directory);
  }
  if (::chmod(directory.c_str(), 0700) != 0) fail(errno, "cannot set the mode of", directory);
  sync_names(directory.parent_path());  // of the file in it SQLite takes care, with the first commit that is to last
}

void create_private(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    if (errno == EEXIST) return;  // another process was faster; it creates it the same way
    fail(errno, "cannot create the database file", file);
  }
  // O_EXCL made this file ours alone, so no SQLite lock can hang on closing the descriptor. The umask may have taken
  // bits away, never added any.
  const int result = ::fchmod(descriptor, 0600);
  const int error = errno;
  ::close(descriptor);
  if (result != 0) fail(error, "cannot set the mode of", file);
}

/// `status` is what there is of that name.
void check_mode(const fs::path& file, const struct stat& status, bool tighten, spdlog::logger& logger) {
  if (!S_ISREG(status.st_mode) || (status.st_mode & 077) == 0) return;
  const auto mode = static_cast<unsigned>(status.st_mode & 0777);
  if (!tighten) {
    logger.warn(
        "database file '{}' has mode {:o}: others may read or write it; 0600 is advised, or set tighten_permissions",
        file.filename().string(), mode);
    return;
  }
  if (::chmod(file.c_str(), 0600) != 0) fail(errno, "cannot set the mode of", file);
  logger.info("database file '{}' had mode {:o}, now 0600", file.filename().string(), mode);
}

void require_regular(const fs::path& file, const struct stat& status) {
  if (S_ISREG(status.st_mode)) return;
  throw Error(errc::not_a_regular_file,
              "'" + file.string() + "' is a " +
                  (S_ISLNK(status.st_mode)   ? "symbolic link: give the real file, or its directory as data_dir"
                   : S_ISDIR(status.st_mode) ? "directory: give the path of a file"
                                             : "special file: give the path of a regular one"));
}

void require_one_name(const fs::path& file, const struct stat& status) {
  if (status.st_nlink <= 1) return;
  throw Error(errc::hard_linked, "'" + file.string() + "' has " + std::to_string(status.st_nlink) +
                                     " hard links: SQLite cannot protect a file with two names; remove the other");
}

FileIdentity require_identity(const fs::path& file) {
  const auto identity = identify(file);
  if (!identity) fail(errno, "cannot open the database file", file);
  return *identity;
}

void require_path(const fs::path& directory, const char* what) {
  if (directory.empty())
    throw Error({EINVAL, boost::system::system_category()}, std::string("the ") + what + " is an empty path");
}

fs::path resolve_directory(const fs::path& directory, const std::string& what, int access) {
  std::error_code error;
  fs::path canonical = fs::canonical(directory, error);
  if (error) fail(error.value(), "cannot resolve the " + what, directory);
  if (::access(canonical.c_str(), access) != 0) fail(errno, "cannot use the " + what, canonical);
  return canonical;
}

std::mutex claims_mutex;
std::multimap<FileIdentity, file_use>& claims() {
  // Never destroyed: claims may end after static destruction.
  static auto* const map = new std::multimap<FileIdentity, file_use>();
  return *map;
}

bool writes(file_use use) noexcept {
  return use == file_use::writes || use == file_use::writes_alone || use == file_use::writes_beside;
}

bool go_together(file_use one, file_use other) noexcept {
  const auto bears = [](file_use use, file_use another) {
    switch (use) {
      case file_use::writes: return another != file_use::writes;
      case file_use::writes_alone: return false;
      case file_use::writes_beside: return true;
      case file_use::reads: return true;
      case file_use::reads_unchanging: return !writes(another);
    }
    return false;
  };
  return bears(one, other) && bears(other, one);
}

}  // namespace

std::optional<FileIdentity> identify(const fs::path& file) noexcept {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) return std::nullopt;
  return FileIdentity(status.st_dev, status.st_ino);
}

fs::path prepare_directory(const fs::path& directory, const char* what) {
  require_path(directory, what);
  make_directories(fs::absolute(directory).lexically_normal(), what);
  return resolve_directory(directory, what, R_OK | W_OK | X_OK);
}

fs::path find_directory(const fs::path& directory, const char* what) {
  require_path(directory, what);
  return resolve_directory(directory, what, R_OK | X_OK);
}

void warn_if_shared(const fs::path& directory, spdlog::logger& logger) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0 || (status.st_mode & 022) == 0) return;
  logger.warn(
      "data directory '{}' has mode {:o}: others may write there, and so replace or remove a database; 0700 is advised",
      directory.string(), static_cast<unsigned>(status.st_mode & 07777));
}

fs::path resolve_file(const fs::path& file) {
  const fs::path name = file.filename();
  if (name.empty() || file.native().find('\0') != std::string::npos)
    throw Error({EINVAL, boost::system::system_category()}, "'" + file.string() + "' is not the path of a file");
  std::error_code error;
  const fs::path directory = fs::canonical(file.has_parent_path() ? file.parent_path() : ".", error);
  if (error) fail(error.value(), "cannot open the database file", file);
  return directory / name;
}

void require_regular_file(const fs::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) == 0) return require_regular(file, status);
  if (errno != ENOENT) fail(errno, "cannot look at", file);
}

PreparedFile prepare_file(const fs::path& file, bool tighten, spdlog::logger& logger) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) {
    if (errno != ENOENT) fail(errno, "cannot open the database file", file);
    create_private(file);
    if (::lstat(file.c_str(), &status) != 0) fail(errno, "cannot open the database file", file);
  }
  require_regular(file, status);
  require_one_name(file, status);
  check_mode(file, status, tighten, logger);
  PreparedFile prepared{.identity = {status.st_dev, status.st_ino}};
  for (const char* suffix : {"-wal", "-shm"}) {
    const fs::path sidecar = file.string() + suffix;
    if (::lstat(sidecar.c_str(), &status) != 0) continue;
    check_mode(sidecar, status, tighten, logger);
    prepared.has_log = prepared.has_log || (suffix == std::string_view("-wal") && status.st_size > 0);
  }
  return prepared;
}

FileIdentity find_file(const fs::path& file, bool written) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) {
    if (errno != ENOENT) fail(errno, "cannot open the database file", file);
    throw Error({ENOENT, boost::system::system_category()},
                "there is no database file '" + file.string() + "', and read_only makes none");
  }
  require_regular(file, status);
  if (written) require_one_name(file, status);
  return {status.st_dev, status.st_ino};
}

std::string explain_cannot_open(const fs::path& file) {
  constexpr std::size_t longest = 504;  // what SQLite leaves of its 512 bytes for a name that -journal is added to
  if (file.native().size() > longest)
    return "the path is too long: SQLite takes up to " + std::to_string(longest) + " bytes";
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const fs::path target = file.string() + suffix;
    if (::access(target.c_str(), R_OK | W_OK) != 0 && errno != ENOENT)
      return "'" + target.filename().string() + "': " + advice(errno);
  }
  if (::access(file.parent_path().c_str(), W_OK | X_OK) != 0)
    return "the directory '" + file.parent_path().string() + "': " + advice(errno);
  return {};
}

std::uintmax_t file_size_or_zero(const fs::path& file) noexcept {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : size;
}

FileClaim::FileClaim(fs::path file) : FileClaim(file, require_identity(file), file_use::writes) {}

FileClaim::FileClaim(fs::path file, FileIdentity identity, file_use use)
    : file_(std::move(file)), identity_(identity), use_(use) {
  std::lock_guard lock(claims_mutex);
  const auto [first, last] = claims().equal_range(identity_);
  for (auto claim = first; claim != last; ++claim) {
    if (go_together(use, claim->second)) continue;
    throw Error(errc::file_in_use,
                "'" + file_.string() + "' is already open in this process" +
                    (writes(use) && writes(claim->second)
                         ? ": share one AppState"
                         : ", to be read and to be written: that goes neither with exclusive nor with immutable"));
  }
  claims().emplace(identity_, use_);
}

FileClaim::~FileClaim() {
  std::lock_guard lock(claims_mutex);
  const auto [first, last] = claims().equal_range(identity_);
  claims().erase(std::find_if(first, last, [this](const auto& claim) { return claim.second == use_; }));
}

bool FileClaim::still_there() const noexcept {
  return identify(file_) == identity_;
}

}  // namespace statehouse::detail
