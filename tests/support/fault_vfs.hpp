#pragma once

#include <signal.h>
#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <optional>

#include "shim_vfs.hpp"

namespace statehouse::test {

/// SQLite's default file system layer, with one fault in it: the n-th operation of a kind fails, or the process is
/// killed there. A write that fails has written half. Syncs only count: no power is lost here, and a busy disk would
/// take minutes for them.
class FaultVfs : public ShimVfs {
 public:
  enum class operation { open, write, sync, truncate, map };

  struct Fault {
    operation kind;
    int nth = 1;           ///< From the injection on.
    int result;            ///< What SQLite is told.
    int system = 0;        ///< And what it finds in errno.
    bool lasting = false;  ///< So do all that follow, as on a disk that stays full.
    bool kill = false;     ///< SIGKILL to this process instead.
  };

  FaultVfs() : ShimVfs("fault") {
    methods.xWrite = &FaultVfs::write;
    methods.xSync = &FaultVfs::sync;
    methods.xTruncate = &FaultVfs::truncate;
    methods.xShmMap = &FaultVfs::map;
  }

  void inject(const Fault& fault) {
    std::lock_guard lock(mutex_);
    fault_ = fault;
    seen_ = 0;
    fired_ = false;
  }
  void heal() {
    std::lock_guard lock(mutex_);
    fault_.reset();
  }
  /// Whether the fault has happened.
  bool fired() const {
    std::lock_guard lock(mutex_);
    return fired_;
  }

 private:
  /// SQLITE_OK, or what to fail with.
  int meet(operation kind) {
    std::lock_guard lock(mutex_);
    if (!fault_ || fault_->kind != kind) return SQLITE_OK;
    ++seen_;
    if (seen_ != fault_->nth && !(fault_->lasting && seen_ > fault_->nth)) return SQLITE_OK;
    fired_ = true;
    if (fault_->system != 0) errno = fault_->system;
    return fault_->result;
  }
  void die_if_asked() const {
    std::lock_guard lock(mutex_);
    if (fault_->kill) ::raise(SIGKILL);
  }

  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    const int fault = meet(operation::open);
    if (fault == SQLITE_OK) return open_real(name, file, flags, out_flags);
    die_if_asked();
    new (file) File{};
    return fault;
  }

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const int fault = of<FaultVfs>(file).meet(operation::write);
    if (fault == SQLITE_OK) return real(file)->pMethods->xWrite(real(file), data, size, offset);
    real(file)->pMethods->xWrite(real(file), data, size / 2, offset);
    of<FaultVfs>(file).die_if_asked();
    return fault;
  }

  static int sync(sqlite3_file* file, int) {
    const int fault = of<FaultVfs>(file).meet(operation::sync);
    if (fault != SQLITE_OK) of<FaultVfs>(file).die_if_asked();
    return fault;
  }

  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    const int fault = of<FaultVfs>(file).meet(operation::truncate);
    if (fault == SQLITE_OK) return real(file)->pMethods->xTruncate(real(file), size);
    of<FaultVfs>(file).die_if_asked();
    return fault;
  }

  static int map(sqlite3_file* file, int page, int size, int extend, void volatile** where) {
    const int fault = of<FaultVfs>(file).meet(operation::map);
    if (fault == SQLITE_OK) return real(file)->pMethods->xShmMap(real(file), page, size, extend, where);
    of<FaultVfs>(file).die_if_asked();
    *where = nullptr;
    return fault;
  }

  mutable std::mutex mutex_;
  std::optional<Fault> fault_;
  int seen_ = 0;
  bool fired_ = false;
};

}  // namespace statehouse::test
