#pragma once

#include <atomic>
#include <thread>

#include "measurement.hpp"

namespace statehouse::bench {

/// The stretch of a run that is measured, shared by all its workers. By time: opens after the warm-up, and closes by
/// itself. By number of operations: from the start to the last completion.
///
/// What completes inside counts as throughput. Latencies are taken of everything from its beginning on, also of what is
/// still under way when it closes: the slowest operations must not get lost.
class Window {
 public:
  explicit Window(const Load& load);

  /// Whether the calling worker is to start another operation.
  bool more() noexcept {
    return timed_ ? phase_.load(std::memory_order_relaxed) != phase::over
                  : left_.fetch_sub(1, std::memory_order_relaxed) > 0;
  }
  void record(Tally& tally, std::uint64_t& worker, bool write, std::chrono::nanoseconds latency) const noexcept {
    const phase now = phase_.load(std::memory_order_relaxed);
    if (now == phase::before) return;
    (write ? tally.writes : tally.reads).add(latency);
    if (now == phase::over) return;
    ++tally.completed;
    ++worker;
  }
  /// All workers are done: how long it was, and what it took.
  void finish(Measurement& result);

 private:
  enum class phase { before, open, over };

  void begin();
  void end();

  const bool timed_;
  std::atomic<std::int64_t> left_;
  std::atomic<phase> phase_{phase::before};
  std::chrono::steady_clock::time_point began_{};
  double seconds_ = 0;
  Usage used_{};
  std::jthread timer_;
};

}  // namespace statehouse::bench
