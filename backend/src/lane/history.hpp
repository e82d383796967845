#pragma once

#include <array>
#include <memory>
#include <string>

#include "lane/slot.hpp"
#include "lane/slow_list.hpp"
#include "statehouse/options.hpp"
#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// What a lane counts and remembers of operations that have ended. Under the lane's mutex.
class History {
 public:
  explicit History(const PoolOptions& options) noexcept : options_(options) {}

  /// One of them has run.
  void add(Operation& operation);
  /// One was given the connection that it waited for, and wanted nothing else.
  void add_lease(Operation& operation, Clock::time_point now) noexcept;
  /// One could not run, for want of a connection.
  void add_unopened(const Operation& operation) { note_error(operation); }
  /// The database was opened again, and is well.
  void forget_last_error() noexcept { last_error_.clear(); }
  /// What ran in one transaction has ended.
  void add_batch(const Slot& slot) noexcept;
  /// It gave up on a calling thread.
  void add_heavy(const Operation& operation) { heavy_.add(operation, SlowList::for_ever); }
  /// All of it; what is at this moment is not in there.
  LaneStats stats() const;

  bool is_slow(const Operation& operation) const { return slow_.contains(operation); }
  /// Too much for a calling thread.
  bool is_heavy(const Operation& operation) const { return is_slow(operation) || heavy_.contains(operation); }
  /// What was wrong with the file when an operation last failed for that; empty when none has.
  const std::string& last_error() const noexcept { return last_error_; }
  /// When an operation last found no space on the disk; the beginning of time when none has.
  Clock::time_point disk_full_at() const noexcept { return disk_full_at_; }

  // Of what has not run.
  std::uint64_t acquire_timeouts = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t rejected = 0;

 private:
  static constexpr auto slow = std::chrono::milliseconds(1);
  /// In one room a round trip takes a tenth of it.
  static constexpr auto slow_remote_read = std::chrono::milliseconds(5);
  /// More on a calling thread than two switches of threads cost: a page of the file may have come from the disk. It
  /// runs there again when its pages seem to be in memory: after so many quick runs on database threads.
  static constexpr auto too_long_inline = std::chrono::microseconds(100);
  static constexpr unsigned quick_runs = 16;

  void note_time(const Operation& operation);
  void note_error(const Operation& operation);
  void count_run(const Operation& operation) noexcept;
  void count_error(std::string_view code) noexcept;

  const PoolOptions& options_;
  std::uint64_t completed_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t compiled_ = 0;
  std::uint64_t slow_runs_ = 0;
  DurationHistogram waits_;
  std::array<std::unique_ptr<DurationHistogram>, operation_verbs> runs_;  // of the verbs that were used
  std::vector<ErrorCount> errors_;
  SlowList slow_;
  bool remote_ = false;  // the connections: how long a write took tells of the commit, a read of the network
  SlowList heavy_;
  std::string last_error_;
  Clock::time_point disk_full_at_ = Clock::time_point::min();
};

}  // namespace statehouse::detail
