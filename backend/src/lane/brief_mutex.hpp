#pragma once

#include <boost/core/yield_primitives.hpp>
#include <mutex>
#include <thread>

namespace statehouse::detail {

/// A mutex that nobody holds for longer than it takes to put a thread to sleep and to wake it: who finds it taken looks
/// again for some microseconds before he sleeps. (64 reads in flight on 2 cores: a fifth more of SQLite's, two fifths
/// more of an engine that costs nothing; with four times as many tries no more.)
class BriefMutex {
 public:
  void lock() {
    if (mutex_.try_lock()) return;
    static const int tries = std::thread::hardware_concurrency() > 1 ? 50 : 0;
    for (int i = 0; i < tries; ++i) {
      for (int pause = 0; pause < 8; ++pause) boost::core::sp_thread_pause();
      if (mutex_.try_lock()) return;
    }
    mutex_.lock();
  }
  void unlock() noexcept { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

}  // namespace statehouse::detail
