#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "cluster/channel.hpp"
#include "statehouse/options.hpp"

namespace statehouse::detail {

/// The node of a cluster that leads, which changes. One for all connections of a database, so that the first to find
/// the new one has found it for all.
///
/// Thread-safety: full.
class Leader {
 public:
  explicit Leader(ClusterOptions options);

  /// A channel to the node that leads and has applied all that was committed before, with the database open. Asks the
  /// one that led last, then those of the options, follows the address that a node names, and begins again until
  /// `find_leader` is over. Throws Error: `errc::unavailable`, or for a stop.
  std::unique_ptr<Channel> connect(const Interrupter& interrupter, const std::string& name);
  /// Asks a node that is slow whether it still leads; false when it does not answer, either. May take `dial_timeout`.
  bool confirms(const std::string& address, const Interrupter& interrupter) const;

  /// Whether no connection has found another one since.
  bool is_last_known(const std::string& address) const;

  /// When nobody was found to lead; the beginning of time when somebody has been found since.
  Clock::time_point missed_at() const noexcept { return missed_at_.load(std::memory_order_relaxed); }

  const ClusterOptions& options() const noexcept { return options_; }

 private:
  class Search;
  std::string last_known() const;
  void remember(const std::string& address);
  Clock::duration jittered(Clock::duration time);

  const ClusterOptions options_;
  mutable std::mutex mutex_;
  std::string last_known_;
  std::minstd_rand random_;
  std::atomic<Clock::time_point> missed_at_ = Clock::time_point::min();
};

}  // namespace statehouse::detail
