#pragma once

#include <filesystem>

namespace statehouse::detail {

/// A lock on a database file that nobody gets while anybody, this process included, has it open in WAL mode or is in a
/// transaction on it, and as long as it is held nobody begins one: the bytes that SQLite locks
/// (https://www.sqlite.org/fileformat2.html section 1.4), whatever the file contains.
///
/// While it is held no connection of this process has a lock on the file, so its end ends none. One that is refused
/// keeps a descriptor of the file until the next is not, for the same reason; a child that was forked in between has
/// that one's lock as well, until it ends.
class WholeFileLock {
 public:
  /// Does not wait. Throws Error: `errc::file_in_use`, or in the system category.
  explicit WholeFileLock(const std::filesystem::path& file);
  ~WholeFileLock();
  WholeFileLock(const WholeFileLock&) = delete;
  WholeFileLock& operator=(const WholeFileLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace statehouse::detail
