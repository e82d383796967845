#include "file/partial_file.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "file/advice.hpp"
#include "file/file.hpp"
#include "file/fork.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view partial_suffix = ".partial";
constexpr std::string_view random_part = ".XXXXXX";
constexpr const char* sidecar_suffixes[] = {"-journal", "-wal", "-shm"};

[[noreturn]] void fail_partial(int error, const std::string& what, const fs::path& file) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, what + " '" + file.string() + "': " + code.message() + ": " + advice(error));
}

/// Of the open file, so that nobody of this process ends it: on one byte that no database has and SQLite never locks.
/// flock(2) is no choice, which on network file systems locks the whole file, SQLite's bytes with it. False when
/// another holds it, or the file system has no locks.
bool lock_partial(int descriptor, int command) noexcept {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = off_t{1} << 62;
  lock.l_len = 1;
  int result = 0;
  do result = ::fcntl(descriptor, command, &lock);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

bool linked(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

/// What a connection that was killed may have left goes first: later nobody would look for it.
void remove_with_sidecars(const fs::path& file) noexcept {
  try {
    for (const char* const suffix : sidecar_suffixes) ::unlink((file.string() + suffix).c_str());
  } catch (const std::bad_alloc&) {
  }
  ::unlink(file.c_str());
}

}  // namespace

PartialFile::PartialFile(fs::path target, const char* what)
    : target_(std::move(target)), what_(what), generation_(fork_generation()) {
  create();
}

void PartialFile::create() {
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    std::string name = target_.string().append(random_part).append(partial_suffix);
    descriptor_ = ::mkostemps(name.data(), static_cast<int>(partial_suffix.size()), O_CLOEXEC);
    if (descriptor_ < 0) fail_partial(errno, "cannot create a file beside", target_);
    path_ = std::move(name);
    // Where the file system has no such locks, nobody gets one, and abandoned files stay.
    lock_partial(descriptor_, F_OFD_SETLKW);
  } while (!linked(descriptor_));  // somebody took it for abandoned before it was locked
}

PartialFile::~PartialFile() {
  if (generation_ == fork_generation()) remove_with_sidecars(path_);
  ::close(descriptor_);
}

void PartialFile::sync() const {
  if (::fsync(descriptor_) != 0) fail_partial(errno, "cannot sync", path_);
}

void PartialFile::publish(bool overwrite) const {
  sync();
  require_regular_file(target_);
  // Somebody may have made the target meanwhile. Where the file system cannot rename without replacing, we look first.
  int result = ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), overwrite ? 0 : RENAME_NOREPLACE);
  if (result != 0 && errno == EINVAL && !identify(target_)) result = ::rename(path_.c_str(), target_.c_str());
  if (result != 0) fail_partial(errno, std::string("cannot rename the finished ") + what_ + " to", target_);
  sync_directory(target_.parent_path());
}

std::string_view target_of_partial(std::string_view name) noexcept {
  const std::size_t added = random_part.size() + partial_suffix.size();
  if (name.size() <= added || !name.ends_with(partial_suffix) || name[name.size() - added] != '.') return {};
  return name.substr(0, name.size() - added);
}

void remove_abandoned(const fs::path& partial) noexcept {
  const int descriptor = ::open(partial.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return;
  if (lock_partial(descriptor, F_OFD_SETLK)) remove_with_sidecars(partial);
  ::close(descriptor);
}

void sync_directory(const fs::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) fail_partial(error, "cannot sync", directory);
}

}  // namespace statehouse::detail
