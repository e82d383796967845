#include "file/inner_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "file/advice.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

/// An open directory. No lock of SQLite hangs on its descriptor.
class OpenDirectory {
 public:
  explicit OpenDirectory(int descriptor) noexcept : descriptor_(descriptor) {}
  ~OpenDirectory() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenDirectory(OpenDirectory&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OpenDirectory& operator=(OpenDirectory&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  explicit operator bool() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }
  OpenDirectory inner(const char* name) const noexcept {
    return OpenDirectory(::openat(descriptor_, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }

 private:
  int descriptor_;
};

bool is_link(const OpenDirectory& directory, const char* name) noexcept {
  struct stat status {};
  return ::fstatat(directory.descriptor(), name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

[[noreturn]] void fail_inside(int error, const std::filesystem::path& path, bool link) {
  const boost::system::error_code code(link ? ELOOP : error, boost::system::system_category());
  const std::string what = "cannot use the directory '" + path.string() + "' of the database";
  if (link) throw Error(code, what + ": it is a symbolic link, and none is followed inside the data directory");
  throw Error(code, what + ": " + code.message() + ": " + advice(error));
}

/// What is there is opened; what is missing is made first, and lasts.
OpenDirectory enter(const OpenDirectory& outer, const std::string& name, const std::filesystem::path& path) {
  OpenDirectory inner = outer.inner(name.c_str());
  if (inner) return inner;
  if (errno != ENOENT) fail_inside(errno, path, is_link(outer, name.c_str()));
  const bool made = ::mkdirat(outer.descriptor(), name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) fail_inside(errno, path, false);  // else somebody was faster
  inner = outer.inner(name.c_str());
  if (!inner) fail_inside(errno, path, is_link(outer, name.c_str()));
  if (made && ::fchmod(inner.descriptor(), 0700) != 0) fail_inside(errno, path, false);
  ::fsync(outer.descriptor());  // who was faster may not have come to it yet
  return inner;
}

}  // namespace

void make_inner_directory(const std::filesystem::path& directory, std::string_view inner) {
  if (inner.empty()) return;
  OpenDirectory at(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::filesystem::path path = directory;
  if (!at) fail_inside(errno, path, false);
  for (const std::filesystem::path& name : std::filesystem::path(inner)) at = enter(at, name.string(), path /= name);
}

bool has_inner_directory(const std::filesystem::path& directory, std::string_view inner) {
  if (inner.empty()) return true;
  OpenDirectory at(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::filesystem::path path = directory;
  if (!at) fail_inside(errno, path, false);
  for (const std::filesystem::path& name : std::filesystem::path(inner)) {
    OpenDirectory next = at.inner(name.c_str());
    const int error = errno;
    path /= name;
    if (!next && error == ENOENT) return false;
    if (!next) fail_inside(error, path, is_link(at, name.c_str()));
    at = std::move(next);
  }
  return true;
}

}  // namespace statehouse::detail
