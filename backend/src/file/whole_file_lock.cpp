#include "file/whole_file_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "file/advice.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

constexpr off_t lock_bytes_begin = 0x40000000;
constexpr off_t lock_bytes = 512;

}  // namespace

WholeFileLock::WholeFileLock(const std::filesystem::path& file)
    : descriptor_(::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = lock_bytes_begin;
  lock.l_len = lock_bytes;
  // Of the open file, so that connections of this process are in its way, too.
  if (descriptor_ >= 0 && ::fcntl(descriptor_, F_OFD_SETLK, &lock) == 0) return;
  const int error = errno;
  const bool taken = descriptor_ >= 0 && (error == EAGAIN || error == EACCES);
  // Where the lock is of a connection of this process, closing the file would end it.
  const bool by_us = taken && ::fcntl(descriptor_, F_OFD_GETLK, &lock) == 0 && lock.l_pid == ::getpid();
  if (descriptor_ >= 0 && !by_us) ::close(descriptor_);
  if (taken) throw Error(errc::file_in_use, "'" + file.string() + "' is open: stop who uses it first");
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, "cannot lock '" + file.string() + "': " + code.message() + ": " + advice(error));
}

WholeFileLock::~WholeFileLock() {
  ::close(descriptor_);
}

}  // namespace statehouse::detail
