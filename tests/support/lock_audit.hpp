#pragma once

#include <map>
#include <mutex>

#include "recording_vfs.hpp"

namespace statehouse::test {

/// While it lives, a record of the locks as RecordingVfs, and the audit of the rule on checkpoints
/// (https://www.sqlite.org/walformat.html section 2.3: slot 0 write, 1 checkpoint, 2 recover, 3 to 7 read):
///
/// whoever has the checkpoint slot has the write slot as well (a checkpoint that has got it, recovery), or from before
/// that until after that another connection of this process, one that does not write, has a read slot.
///
/// Nothing is said of a connection that has the file for itself, as at the last close: it takes no such locks.
class LockAudit final : public RecordingVfs {
 public:
  LockAudit() { methods.xShmLock = &LockAudit::audited_lock; }

  int checkpoints() const {
    std::lock_guard lock(mutex_);
    return checkpoints_;
  }
  /// Of them, those that break the rule.
  int unpinned() const {
    std::lock_guard lock(mutex_);
    return unpinned_;
  }

 private:
  static constexpr unsigned write = 1U << write_slot;
  static constexpr unsigned checkpoint = 1U << checkpoint_slot;
  static constexpr unsigned reads = 0xf8U;

  static int audited_lock(sqlite3_file* file, int first, int count, int flags) {
    LockAudit& self = of<LockAudit>(file);
    const unsigned slots = ((1U << count) - 1) << first;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) self.release(file, slots);  // it counts as given up from here on
    const int result = shm_lock(file, first, count, flags);
    if (result == SQLITE_OK && (flags & SQLITE_SHM_LOCK) != 0) self.grant(file, slots);
    return result;
  }

  void grant(const void* file, unsigned slots) {
    std::lock_guard lock(mutex_);
    held_[file] |= slots;
    if ((slots & checkpoint) == 0 || (held_[file] & write) != 0) return;
    ++checkpoints_;
    // The write slot may come next. Until then nothing has been looked at.
    broken_ = !pinned(file);
  }
  void release(const void* file, unsigned slots) {
    std::lock_guard lock(mutex_);
    const unsigned held = held_[file];
    if ((slots & held & checkpoint) != 0) {
      if (broken_ && (held & write) == 0) ++unpinned_;
      broken_ = false;
    }
    if ((slots & held & write) != 0 && (held & checkpoint) != 0) broken_ = false;  // all was well so far
    held_[file] &= ~slots;
    if ((slots & reads) == 0) return;
    for (const auto& [other, its] : held_)
      if (other != file && (its & checkpoint) != 0 && (its & write) == 0 && !pinned(other)) broken_ = true;
  }
  bool pinned(const void* checkpointer) const {
    for (const auto& [file, slots] : held_)
      if (file != checkpointer && (slots & reads) != 0 && (slots & write) == 0) return true;
    return false;
  }

  mutable std::mutex mutex_;
  std::map<const void*, unsigned> held_;
  int checkpoints_ = 0;
  int unpinned_ = 0;
  bool broken_ = false;  // by the checkpoint that is at work
};

}  // namespace statehouse::test
