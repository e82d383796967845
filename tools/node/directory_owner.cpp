#include "directory_owner.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "directory_lock.hpp"

namespace statehouse::node {
namespace {

namespace fs = std::filesystem;

constexpr const char* owner_file = "statehouse-node.owner";

[[noreturn]] void fail(const fs::path& path, const char* what) {
  throw std::system_error(errno, std::generic_category(), path.string() + what);
}

std::string name_of(const Self& self) {
  return "node " + std::to_string(self.id) + " at " + self.address;
}

/// Empty where nobody's name is written down.
std::string owner_of(const fs::path& directory) {
  const fs::path path = directory / owner_file;
  std::ifstream file(path);
  if (!file.is_open() && errno != ENOENT) fail(path, " cannot be opened");
  std::string owner;
  std::getline(file, owner);
  if (file.bad()) fail(path, " cannot be read");
  return owner;
}

void sync(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0 || ::fsync(descriptor) != 0) fail(path, " cannot be synced");
  ::close(descriptor);
}

/// As a whole or not at all, whenever the power fails.
void write_owner(const fs::path& directory, const std::string& owner) {
  const fs::path path = directory / owner_file;
  const fs::path next = path.string() + ".new";
  std::ofstream file(next, std::ios::trunc);
  file << owner << '\n';
  file.close();
  if (!file) fail(next, " cannot be written");
  sync(next, O_RDONLY);
  fs::rename(next, path);
  sync(directory, O_RDONLY | O_DIRECTORY);
}

}  // namespace

std::string claim(const fs::path& directory, const Self& self) {
  const std::string name = name_of(self);
  const std::string owner = owner_of(directory);
  if (owner == name) return {};
  if (owner.empty() || holds_no_data(directory)) {
    write_owner(directory, name);
    return {};
  }
  return directory.string() + " is the data of " + owner + ", not of " + name +
         ": start it as that, or give this node a --data-dir of its own. To move a node to another address, "
         "'statehouse cluster remove' it, and let it join under a new --id in an empty --data-dir";
}

}  // namespace statehouse::node
