#pragma once

#include <sqlite3.h>

#include <new>
#include <stdexcept>

namespace statehouse::testing::detail {

/// While it lives, a layer over SQLite's default file system that passes everything on, but for the `methods` that a
/// derived class replaces. One at a time; make it before the first connection and keep it until the last is closed.
class ShimVfs {
 public:
  ShimVfs(const ShimVfs&) = delete;
  ShimVfs& operator=(const ShimVfs&) = delete;

 protected:
  /// SQLite gives us room for this and, right behind it, for the real file.
  struct alignas(8) File {  // as SQLite aligns that room
    sqlite3_file base;
    ShimVfs* vfs;
    int handle;  ///< What the derived class makes of it.

    sqlite3_file* real() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  explicit ShimVfs(const char* name) : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
    vfs_.pNext = nullptr;
    vfs_.zName = name;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pAppData = this;
    vfs_.xOpen = [](sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
      return static_cast<ShimVfs*>(vfs->pAppData)->open(path, file, flags, out_flags);
    };
    if (sqlite3_vfs_register(&vfs_, 1) != SQLITE_OK) throw std::runtime_error("cannot register the VFS");
  }
  virtual ~ShimVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
  }

  /// Opens the real file; null methods where that fails.
  int open_real(const char* path, sqlite3_file* file, int flags, int* out_flags) {
    auto* const ours = new (file) File{.base = {}, .vfs = this, .handle = 0};
    const int result = real_->xOpen(real_, path, ours->real(), flags, out_flags);
    if (ours->real()->pMethods != nullptr) ours->base.pMethods = &methods;
    return result;
  }
  virtual int open(const char* path, sqlite3_file* file, int flags, int* out_flags) = 0;

  static File& ours(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return ours(file).real(); }
  /// The layer that has opened the file.
  template <class Derived>
  static Derived& of(sqlite3_file* file) {
    return static_cast<Derived&>(*ours(file).vfs);
  }

  /// Replaced before the first file is opened.
  sqlite3_io_methods methods = pass_on();
  /// The same of the methods that are about names; its pAppData is this object.
  sqlite3_vfs& names() noexcept { return vfs_; }
  sqlite3_vfs& real_names() noexcept { return *real_; }

 private:
  static sqlite3_io_methods pass_on() {
    return {
        .iVersion = 3,
        .xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
        .xRead = [](sqlite3_file* f, void* p, int n,
                    sqlite3_int64 o) { return real(f)->pMethods->xRead(real(f), p, n, o); },
        .xWrite = [](sqlite3_file* f, const void* p, int n,
                     sqlite3_int64 o) { return real(f)->pMethods->xWrite(real(f), p, n, o); },
        .xTruncate = [](sqlite3_file* f, sqlite3_int64 n) { return real(f)->pMethods->xTruncate(real(f), n); },
        .xSync = [](sqlite3_file* f, int flags) { return real(f)->pMethods->xSync(real(f), flags); },
        .xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return real(f)->pMethods->xFileSize(real(f), n); },
        .xLock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); },
        .xUnlock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); },
        .xCheckReservedLock = [](sqlite3_file* f,
                                 int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); },
        .xFileControl = [](sqlite3_file* f, int op,
                           void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); },
        .xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
        .xDeviceCharacteristics = [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
        .xShmMap = [](sqlite3_file* f, int page, int size, int extend,
                      void volatile** p) { return real(f)->pMethods->xShmMap(real(f), page, size, extend, p); },
        .xShmLock = [](sqlite3_file* f, int first, int count,
                       int flags) { return real(f)->pMethods->xShmLock(real(f), first, count, flags); },
        .xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
        .xShmUnmap = [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
        .xFetch = [](sqlite3_file* f, sqlite3_int64 o, int n,
                     void** p) { return real(f)->pMethods->xFetch(real(f), o, n, p); },
        .xUnfetch = [](sqlite3_file* f, sqlite3_int64 o,
                       void* p) { return real(f)->pMethods->xUnfetch(real(f), o, p); }};
  }

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;
};

}  // namespace statehouse::testing::detail
