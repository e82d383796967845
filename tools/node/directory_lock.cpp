#include "directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace statehouse::node {
namespace {

constexpr const char* lock_file = "statehouse-node.lock";

}  // namespace

DirectoryLock::DirectoryLock(const std::filesystem::path& directory) {
  const std::string path = (directory / lock_file).string();
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), path + " cannot be opened");
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  ::close(descriptor_);
  if (reason != EWOULDBLOCK) throw std::system_error(reason, std::generic_category(), path + " cannot be locked");
  throw std::runtime_error("another node runs on " + directory.string() +
                           ", and two on one directory would lose its data: end that one, or give this one a "
                           "--data-dir of its own");
}

DirectoryLock::~DirectoryLock() {
  ::close(descriptor_);
}

bool holds_no_data(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory)) return true;
  return std::ranges::all_of(std::filesystem::directory_iterator(directory), [](const auto& entry) {
    const std::string name = entry.path().filename();
    return name.starts_with("statehouse-node.") || name == "dqlite-lock";  // this program's, and later versions' lock
  });
}

}  // namespace statehouse::node
