#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>

#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// What has come of the checkpoints of one database's connections. Any thread.
class CheckpointHistory {
 public:
  using Stats = decltype(DatabaseStats::checkpoints);

  void add(checkpoint_way way, checkpoint_outcome outcome, std::chrono::nanoseconds took) noexcept {
    std::lock_guard lock(mutex_);
    CheckpointStats& stats = stats_[static_cast<std::size_t>(way)];
    ++stats.outcomes[static_cast<std::size_t>(outcome)];
    stats.times.add(took);
  }
  Stats stats() const {
    std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  mutable std::mutex mutex_;
  Stats stats_{};
};

}  // namespace statehouse::detail
