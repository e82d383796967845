#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "lane/connection_budget.hpp"
#include "statehouse/clock.hpp"

namespace statehouse::detail {

class PoolCore;

/// The pools of one registry that have connections, or may, and the budget for all of these. When somebody wants one
/// and all are taken, the pool that was not used for the longest time is put to sleep; where there are many, one of
/// some.
///
/// Thread-safety: all functions, from any thread.
class AwakePools : public std::enable_shared_from_this<AwakePools> {
 public:
  /// Where a pool stands here; its own.
  struct Place {
    std::size_t index = 0;
    bool listed = false;
    Clock::time_point since{};
  };

  static std::shared_ptr<AwakePools> make(std::size_t most_connections, const DatabaseExecutor& executor);

  void add(PoolCore& pool);
  /// Before it is destroyed, at the latest.
  void remove(PoolCore& pool) noexcept;
  /// Closes what nobody uses, of one pool, on the calling thread, which is a database thread. False when all is in use.
  bool make_room();
  const std::shared_ptr<ConnectionBudget>& budget() const noexcept { return budget_; }

 private:
  using Pools = std::vector<std::shared_ptr<PoolCore>>;

  std::size_t size();
  Pools next(std::size_t count);

  std::shared_ptr<ConnectionBudget> budget_;
  std::mutex mutex_;
  std::vector<PoolCore*> pools_;
  std::size_t hand_ = 0;  // where `next` goes on
};

}  // namespace statehouse::detail
