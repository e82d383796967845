#pragma once

#include <filesystem>

namespace statehouse::node {

/// Keeps a second node out of a data directory, from here until it is destroyed or its process ends, however that ends.
///
/// By flock(2) on a file of its own in there, which stays. libdqlite 1.11 takes no lock, and two nodes on one directory
/// write over each other's log; later versions have one on `dqlite-lock`, which this leaves alone.
class DirectoryLock {
 public:
  /// The directory must be there. Throws std::runtime_error when another process has it, or the file cannot be made.
  explicit DirectoryLock(const std::filesystem::path& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// Whether there is nothing of a node in it: it is not there, or holds no more than files that say who uses it.
bool holds_no_data(const std::filesystem::path& directory);

}  // namespace statehouse::node
