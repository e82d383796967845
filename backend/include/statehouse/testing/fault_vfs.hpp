#pragma once

#include <signal.h>
#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <optional>

#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::testing {

/// SQLite's default file system layer, with one fault in it: the n-th operation of a kind fails, or the process is
/// killed there. A write that fails has written half; what gives something back (`unlock`, `close`) has done so all the
/// same, since nobody could do it later. Syncs only count: no power is lost here, and a busy disk would take minutes
/// for them. The methods that are not here cannot fail, or SQLite does not heed it (time, sleep, randomness).
///
/// It is the process's default as long as it lives: one at a time, and gone only after the connections that are opened
/// meanwhile. Thread-safety: all functions from any thread.
class FaultVfs : public detail::ShimVfs {
 public:
  /// What SQLite asks of a file system.
  enum class operation {
    open,            ///< xOpen.
    write,           ///< xWrite.
    sync,            ///< xSync.
    truncate,        ///< xTruncate.
    map,             ///< xShmMap, of the write-ahead log's index.
    read,            ///< xRead.
    size,            ///< xFileSize.
    lock,            ///< xLock.
    unlock,          ///< xUnlock.
    check_reserved,  ///< xCheckReservedLock.
    control,         ///< xFileControl.
    shm_lock,        ///< xShmLock that takes a lock.
    close,           ///< xClose.
    remove,          ///< xDelete.
    access,          ///< xAccess.
    full_path        ///< xFullPathname.
  };

  /// What goes wrong, and where.
  struct Fault {
    operation kind;        ///< What fails.
    int nth = 1;           ///< From the injection on.
    int result;            ///< What SQLite is told, SQLITE_FULL for instance.
    int system = 0;        ///< And what it finds in errno.
    bool lasting = false;  ///< So do all that follow, as on a disk that stays full.
    bool kill = false;     ///< SIGKILL to this process instead.
  };

  /// Without a fault.
  FaultVfs() : ShimVfs("fault") {
    methods.xWrite = &FaultVfs::write;
    methods.xSync = &FaultVfs::sync;
    methods.xTruncate = &FaultVfs::truncate;
    methods.xShmMap = &FaultVfs::map;
    methods.xRead = &FaultVfs::pass<operation::read, &sqlite3_io_methods::xRead>;
    methods.xFileSize = &FaultVfs::pass<operation::size, &sqlite3_io_methods::xFileSize>;
    methods.xLock = &FaultVfs::pass<operation::lock, &sqlite3_io_methods::xLock>;
    methods.xCheckReservedLock = &FaultVfs::pass<operation::check_reserved, &sqlite3_io_methods::xCheckReservedLock>;
    methods.xFileControl = &FaultVfs::control;
    methods.xUnlock = &FaultVfs::unlock;
    methods.xShmLock = &FaultVfs::shm_lock;
    methods.xClose = &FaultVfs::close;
    names().xDelete = &FaultVfs::remove;
    names().xSleep = &FaultVfs::sleep;
    names().xAccess = &FaultVfs::pass_name<operation::access, &sqlite3_vfs::xAccess>;
    names().xFullPathname = &FaultVfs::pass_name<operation::full_path, &sqlite3_vfs::xFullPathname>;
  }

  /// In place of the one before.
  void inject(const Fault& fault) {
    std::lock_guard lock(mutex_);
    fault_ = fault;
    seen_ = 0;
    fired_ = false;
  }
  /// From now on nothing fails.
  void heal() {
    std::lock_guard lock(mutex_);
    fault_.reset();
  }
  /// How many operations of the fault's kind there have been.
  int seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
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
    if (fault_ && fault_->kill) ::raise(SIGKILL);  // healed meanwhile
  }

  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    const int fault = meet(operation::open);
    if (fault == SQLITE_OK) return open_real(name, file, flags, out_flags);
    die_if_asked();
    new (file) File{};
    return fault;
  }

  /// A method of a file, but for the fault.
  template <operation Kind, auto Method, class... Args>
  static int pass(sqlite3_file* file, Args... args) {
    const int fault = of<FaultVfs>(file).meet(Kind);
    if (fault == SQLITE_OK) return (real(file)->pMethods->*Method)(real(file), args...);
    of<FaultVfs>(file).die_if_asked();
    return fault;
  }
  /// A method that is about a name, but for the fault.
  template <operation Kind, auto Method, class... Args>
  static int pass_name(sqlite3_vfs* vfs, const char* name, Args... args) {
    FaultVfs& self = of_names(vfs);
    const int fault = self.meet(Kind);
    if (fault == SQLITE_OK) return (self.real_names().*Method)(&self.real_names(), name, args...);
    self.die_if_asked();
    return fault;
  }
  static FaultVfs& of_names(sqlite3_vfs* vfs) { return *static_cast<FaultVfs*>(static_cast<ShimVfs*>(vfs->pAppData)); }

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

  /// But for the news that a commit is done, to which the real layer has no answer; it would be too late.
  static int control(sqlite3_file* file, int what, void* argument) {
    if (what == SQLITE_FCNTL_COMMIT_PHASETWO) return real(file)->pMethods->xFileControl(real(file), what, argument);
    return pass<operation::control, &sqlite3_io_methods::xFileControl>(file, what, argument);
  }

  static int unlock(sqlite3_file* file, int level) {
    const int fault = of<FaultVfs>(file).meet(operation::unlock);
    if (fault != SQLITE_OK) of<FaultVfs>(file).die_if_asked();
    const int result = real(file)->pMethods->xUnlock(real(file), level);
    return fault != SQLITE_OK ? fault : result;
  }

  /// Only where one is taken: what is given back SQLite does not ask about.
  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    const int fault = (flags & SQLITE_SHM_LOCK) != 0 ? of<FaultVfs>(file).meet(operation::shm_lock) : SQLITE_OK;
    if (fault == SQLITE_OK) return real(file)->pMethods->xShmLock(real(file), first, count, flags);
    of<FaultVfs>(file).die_if_asked();
    return fault;
  }

  static int close(sqlite3_file* file) {
    const int fault = of<FaultVfs>(file).meet(operation::close);
    if (fault != SQLITE_OK) of<FaultVfs>(file).die_if_asked();
    const int result = real(file)->pMethods->xClose(real(file));
    return fault != SQLITE_OK ? fault : result;
  }

  /// Without the sync of the directory that may be asked for.
  static int remove(sqlite3_vfs* vfs, const char* name, int) {
    return pass_name<operation::remove, &sqlite3_vfs::xDelete>(vfs, name, 0);
  }

  /// SQLite tries a hundred times, in ten seconds, to get a lock that will never be there.
  static int sleep(sqlite3_vfs* vfs, int microseconds) {
    FaultVfs& self = of_names(vfs);
    {
      std::lock_guard lock(self.mutex_);
      if (self.fault_ && self.fired_) return microseconds;
    }
    return self.real_names().xSleep(&self.real_names(), microseconds);
  }

  mutable std::mutex mutex_;
  std::optional<Fault> fault_;
  int seen_ = 0;
  bool fired_ = false;
};

}  // namespace statehouse::testing
