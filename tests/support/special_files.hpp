#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "files.hpp"

namespace statehouse::test {

/// Makes in `directory` one of everything that is no regular file, and links to such; gives the names.
inline std::vector<std::string> make_special_files(const std::filesystem::path& directory) {
  const auto require = [](bool done, const char* what) {
    if (!done) throw std::runtime_error(std::string("cannot make a ") + what);
  };
  require(::mkfifo((directory / "fifo").c_str(), 0600) == 0, "FIFO");
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, (directory / "socket").c_str(), sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "socket");
  ::close(socket);
  std::filesystem::create_directory(directory / "directory");
  std::filesystem::create_directory(directory / "full");
  write_file(directory / "full" / "file", "mine");
  write_file(directory / "file", "mine");
  for (const char* target : {"fifo", "socket", "directory", "file", "nothing"})
    std::filesystem::create_symlink(target, directory / (std::string("to_") + target));
  std::vector<std::string> names{"fifo",      "socket",       "directory", "full",      "to_fifo",
                                 "to_socket", "to_directory", "to_file",   "to_nothing"};
  // As /dev/null is one; only root may.
  if (::mknod((directory / "device").c_str(), S_IFCHR | 0600, ::makedev(1, 3)) == 0) {
    std::filesystem::create_symlink("device", directory / "to_device");
    names.insert(names.end(), {"device", "to_device"});
  }
  return names;
}

/// What tells whether a name still leads to the same thing.
inline std::pair<ino_t, mode_t> thing_at(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_mode};
}

}  // namespace statehouse::test
