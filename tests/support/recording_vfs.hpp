#pragma once

#include <sqlite3.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::test {

/// While it lives, SQLite's default file system layer with a record of the locks in write-ahead log indexes
/// (https://www.sqlite.org/walformat.html section 2.3) and of writes, by file handle.
class RecordingVfs : public testing::detail::ShimVfs {
 public:
  /// Slots of a write-ahead log index.
  static constexpr int write_slot = 0;
  static constexpr int checkpoint_slot = 1;

  /// One lock that was granted.
  struct Lock {
    int handle;
    int first;  ///< Slot, of `count`.
    int count;
    bool exclusive;

    bool covers(int slot) const noexcept { return first <= slot && slot < first + count; }
  };

  RecordingVfs() : testing::detail::ShimVfs("recording") {
    methods.xWrite = &RecordingVfs::write;
    methods.xShmLock = &RecordingVfs::shm_lock;
  }

  /// The handle of a connection's database file.
  static int handle_of(sqlite3* db) {
    sqlite3_file* file = nullptr;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr)
      throw std::runtime_error("the connection has no file");
    return ours(file).handle;
  }

  std::vector<Lock> locks() const {
    std::lock_guard lock(mutex_);
    return locks_;
  }
  /// Writes to the file of that handle itself, not to its log.
  int writes(int handle) const {
    std::lock_guard lock(mutex_);
    const auto found = writes_.find(handle);
    return found == writes_.end() ? 0 : found->second;
  }
  /// Names of the database files that were opened, in order.
  std::vector<std::string> opened() const {
    std::lock_guard lock(mutex_);
    return opened_;
  }

 protected:
  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    const int result = real(file)->pMethods->xShmLock(real(file), first, count, flags);
    if (result != SQLITE_OK || (flags & SQLITE_SHM_LOCK) == 0) return result;
    RecordingVfs& self = of<RecordingVfs>(file);
    std::lock_guard lock(self.mutex_);
    self.locks_.push_back({ours(file).handle, first, count, (flags & SQLITE_SHM_EXCLUSIVE) != 0});
    return result;
  }

 private:
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    const int result = open_real(name, file, flags, out_flags);
    if (file->pMethods == nullptr) return result;
    std::lock_guard lock(mutex_);
    ours(file).handle = ++last_handle_;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) opened_.emplace_back(name != nullptr ? name : "");
    return result;
  }

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    RecordingVfs& self = of<RecordingVfs>(file);
    {
      std::lock_guard lock(self.mutex_);
      ++self.writes_[ours(file).handle];
    }
    return real(file)->pMethods->xWrite(real(file), data, size, offset);
  }

  mutable std::mutex mutex_;
  int last_handle_ = 0;
  std::vector<Lock> locks_;
  std::map<int, int> writes_;
  std::vector<std::string> opened_;
};

}  // namespace statehouse::test
