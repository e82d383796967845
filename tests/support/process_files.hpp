#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace statehouse::test {

/// How many descriptors of this process lead to `path` or its -wal and -shm.
inline std::size_t open_descriptors(const std::filesystem::path& path) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const auto target = std::filesystem::read_symlink(entry.path(), ignored).string();
    if (target.starts_with(path.string())) ++count;
  }
  return count;
}

/// The locks that this process holds, as the kernel knows them.
inline std::vector<std::string> locks_of_this_process() {
  std::vector<std::string> mine;
  std::ifstream file("/proc/locks");
  const std::string pid = " " + std::to_string(::getpid()) + " ";
  for (std::string line; std::getline(file, line);)
    if (line.find(pid) != std::string::npos) mine.push_back(line.substr(line.find(' ')));
  std::ranges::sort(mine);
  // A lock can be listed twice when others come or go while the list is read.
  mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
  return mine;
}

}  // namespace statehouse::test
