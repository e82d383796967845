#pragma once

#include <sqlite3.h>

#include <atomic>
#include <stdexcept>

namespace statehouse::test {

/// While it lives, SQLite's allocator with one fault in it: the n-th allocation fails. One at a time; make it before
/// the first connection and keep it until the last is closed.
class FaultAllocator {
 public:
  FaultAllocator() {
    sqlite3_shutdown();  // it takes another allocator only then
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_);
    sqlite3_mem_methods faulty = real_;
    faulty.xMalloc = [](int size) -> void* { return fails() ? nullptr : real_.xMalloc(size); };
    faulty.xRealloc = [](void* old, int size) -> void* { return fails() ? nullptr : real_.xRealloc(old, size); };
    heal();
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &faulty) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
      throw std::runtime_error("cannot replace SQLite's allocator");
  }
  ~FaultAllocator() {
    sqlite3_shutdown();
    sqlite3_config(SQLITE_CONFIG_MALLOC, &real_);
    sqlite3_initialize();
  }
  FaultAllocator(const FaultAllocator&) = delete;
  FaultAllocator& operator=(const FaultAllocator&) = delete;

  /// Of the allocations from now on; with `lasting` all later ones fail, too.
  void inject(int nth, bool lasting) {
    seen_ = 0;
    fired_ = false;
    lasting_ = lasting;
    nth_ = nth;
  }
  void heal() { nth_ = 0; }
  /// How many allocations there have been.
  int seen() const { return seen_; }
  /// Whether the fault has happened.
  bool fired() const { return fired_; }

 private:
  static bool fails() {
    const int nth = nth_;
    if (nth == 0) return false;
    const int number = ++seen_;
    if (number != nth && !(lasting_ && number > nth)) return false;
    fired_ = true;
    return true;
  }

  // SQLite's methods take no context.
  static inline sqlite3_mem_methods real_{};
  static inline std::atomic<int> nth_{0};
  static inline std::atomic<int> seen_{0};
  static inline std::atomic<bool> lasting_{false};
  static inline std::atomic<bool> fired_{false};
};

}  // namespace statehouse::test
