#pragma once

#include <sqlite3.h>

#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace statehouse::test {

/// While it lives, SQLite's default file system layer with a record of the locks in write-ahead log indexes
/// (https://www.sqlite.org/walformat.html section 2.3) and of writes, by file handle. Make it before the first
/// connection and keep it until the last is closed.
class RecordingVfs {
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

  RecordingVfs() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
    vfs_.pNext = nullptr;
    vfs_.zName = "recording";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = &RecordingVfs::open;
    current() = this;
    if (sqlite3_vfs_register(&vfs_, 1) != SQLITE_OK) throw std::runtime_error("cannot register the recording VFS");
  }
  ~RecordingVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
    current() = nullptr;
  }
  RecordingVfs(const RecordingVfs&) = delete;
  RecordingVfs& operator=(const RecordingVfs&) = delete;

  /// The handle of a connection's database file.
  static int handle_of(sqlite3* db) {
    sqlite3_file* file = nullptr;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr)
      throw std::runtime_error("the connection has no file");
    return reinterpret_cast<File*>(file)->handle;
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

 private:
  /// SQLite gives us room for this and, right behind it, for the real file.
  struct alignas(8) File {  // as SQLite aligns that room
    sqlite3_file base;
    int handle;

    sqlite3_file* real() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static RecordingVfs*& current() {
    static RecordingVfs* vfs = nullptr;
    return vfs;
  }
  static sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real(); }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    RecordingVfs& self = *current();
    auto* const ours = new (file) File{};
    const int result = self.real_->xOpen(self.real_, name, ours->real(), flags, out_flags);
    if (ours->real()->pMethods == nullptr) return result;
    ours->base.pMethods = methods();
    std::lock_guard lock(self.mutex_);
    ours->handle = ++self.last_handle_;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) self.opened_.emplace_back(name != nullptr ? name : "");
    return result;
  }

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    RecordingVfs& self = *current();
    {
      std::lock_guard lock(self.mutex_);
      ++self.writes_[reinterpret_cast<File*>(file)->handle];
    }
    return real(file)->pMethods->xWrite(real(file), data, size, offset);
  }

  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    const int result = real(file)->pMethods->xShmLock(real(file), first, count, flags);
    if (result != SQLITE_OK || (flags & SQLITE_SHM_LOCK) == 0) return result;
    RecordingVfs& self = *current();
    std::lock_guard lock(self.mutex_);
    self.locks_.push_back({reinterpret_cast<File*>(file)->handle, first, count, (flags & SQLITE_SHM_EXCLUSIVE) != 0});
    return result;
  }

  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods table{
        .iVersion = 3,
        .xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
        .xRead = [](sqlite3_file* f, void* p, int n, sqlite3_int64 o) { return real(f)->pMethods->xRead(real(f), p, n, o); },
        .xWrite = &RecordingVfs::write,
        .xTruncate = [](sqlite3_file* f, sqlite3_int64 n) { return real(f)->pMethods->xTruncate(real(f), n); },
        .xSync = [](sqlite3_file* f, int flags) { return real(f)->pMethods->xSync(real(f), flags); },
        .xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return real(f)->pMethods->xFileSize(real(f), n); },
        .xLock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); },
        .xUnlock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); },
        .xCheckReservedLock = [](sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); },
        .xFileControl = [](sqlite3_file* f, int op, void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); },
        .xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
        .xDeviceCharacteristics = [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
        .xShmMap = [](sqlite3_file* f, int page, int size, int extend,
                      void volatile** p) { return real(f)->pMethods->xShmMap(real(f), page, size, extend, p); },
        .xShmLock = &RecordingVfs::shm_lock,
        .xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
        .xShmUnmap = [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
        .xFetch = [](sqlite3_file* f, sqlite3_int64 o, int n, void** p) { return real(f)->pMethods->xFetch(real(f), o, n, p); },
        .xUnfetch = [](sqlite3_file* f, sqlite3_int64 o, void* p) { return real(f)->pMethods->xUnfetch(real(f), o, p); }};
    return &table;
  }

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;
  mutable std::mutex mutex_;
  int last_handle_ = 0;
  std::vector<Lock> locks_;
  std::map<int, int> writes_;
  std::vector<std::string> opened_;
};

}  // namespace statehouse::test
