#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
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

/// What one reading of the kernel's list has.
inline std::vector<std::string> locks_that_are_listed() {
  std::vector<std::string> mine;
  std::ifstream file("/proc/locks");
  const std::string self = std::to_string(::getpid());
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string number, kind, obligation, access, pid;
    words >> number >> kind >> obligation >> access >> pid;
    if (pid == self) mine.push_back(line.substr(line.find(' ')));
  }
  std::ranges::sort(mine);
  // A lock can be listed twice when others come or go while the list is read.
  mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
  return mine;
}

/// The locks that this process holds, as the kernel knows them. None may come or go meanwhile.
inline std::vector<std::string> locks_of_this_process() {
  std::vector<std::string> mine = locks_that_are_listed();
  // One can be left out as well, but not twice in the same way.
  for (auto again = locks_that_are_listed(); again != mine; again = locks_that_are_listed()) mine = std::move(again);
  return mine;
}

}  // namespace statehouse::test
