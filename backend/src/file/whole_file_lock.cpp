#include "file/whole_file_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <string>

#include "file/advice.hpp"
#include "file/file.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

constexpr off_t lock_bytes_begin = 0x40000000;
constexpr off_t lock_bytes = 512;

/// Descriptors of files that could not be locked, which are never closed but used again: perhaps this process has such
/// a file open, and loses its own locks when it closes any descriptor of it. The system tells of one who is in the way,
/// so it cannot be asked.
class Refused {
 public:
  static Refused& instance() {
    static auto* const all = new Refused;  // never destroyed
    return *all;
  }
  /// -1 where there is none of what is there now.
  int take(const std::filesystem::path& file) {
    const auto identity = identify(file);
    std::lock_guard lock(mutex_);
    const auto found = identity ? descriptors_.find(*identity) : descriptors_.end();
    if (found == descriptors_.end()) return -1;
    const int descriptor = found->second;
    descriptors_.erase(found);
    return descriptor;
  }
  void keep(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return;
    std::lock_guard lock(mutex_);
    descriptors_.emplace(FileIdentity(status.st_dev, status.st_ino), descriptor);
  }

 private:
  std::mutex mutex_;
  std::map<FileIdentity, int> descriptors_;
};

int open_to_lock(const std::filesystem::path& file) {
  const int descriptor = Refused::instance().take(file);
  return descriptor >= 0 ? descriptor : ::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

}  // namespace

WholeFileLock::WholeFileLock(const std::filesystem::path& file) : descriptor_(open_to_lock(file)) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = lock_bytes_begin;
  lock.l_len = lock_bytes;
  // Of the open file, so that connections of this process are in its way, too.
  if (descriptor_ >= 0 && ::fcntl(descriptor_, F_OFD_SETLK, &lock) == 0) return;
  const int error = errno;
  if (descriptor_ >= 0) Refused::instance().keep(descriptor_);
  if (descriptor_ >= 0 && (error == EAGAIN || error == EACCES))
    throw Error(errc::file_in_use, "'" + file.string() + "' is open: stop who uses it first");
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, "cannot lock '" + file.string() + "': " + code.message() + ": " + advice(error));
}

WholeFileLock::~WholeFileLock() {
  ::close(descriptor_);
}

}  // namespace statehouse::detail
