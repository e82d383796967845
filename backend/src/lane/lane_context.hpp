#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/session.hpp"
#include "file/fork.hpp"
#include "lane/connection_budget.hpp"
#include "lane/database_executor.hpp"
#include "statehouse/clock.hpp"
#include "statehouse/observer.hpp"
#include "statehouse/options.hpp"

namespace statehouse::detail {

/// What the lanes of one pool have in common, and whom they tell. Filled in before the first operation; outlives them.
struct LaneContext {
  std::string name;                      ///< Of the database.
  const PoolOptions* options = nullptr;  ///< Normalised.
  DatabaseExecutor executor;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<Observer> observer{};        ///< May be empty.
  std::shared_ptr<ConnectionBudget> budget{};  ///< May be empty.
  /// Kept alive by what is posted and by leases; its address tells one pool from another.
  std::weak_ptr<void> owner;
  unsigned generation = 0;  ///< Of forks.
  // Each of these may be empty.
  std::function<bool(const Session&)> due;     ///< After each use of the writer: `before_next` has something to do.
  std::function<void(Session&)> before_next;   ///< On the writer between two operations.
  std::function<void(Session&)> before_close;  ///< Before the writer's connection is closed, when no other is open.
  /// Before it is closed for others' sake, beside readers perhaps. False: it may not be.
  std::function<bool(Session&)> before_close_alone;
  std::function<void()> on_parked;  ///< A connection of a closed lane came back.
  std::function<void()> wake;       ///< Something waits in a lane that is asleep. Under its mutex.
  std::function<void()> on_wanted;  ///< A connection is idle, and others wait for one in vain.

  /// Only to be compared.
  const void* pool() const noexcept { return owner.lock().get(); }
  bool forked() const noexcept { return generation != fork_generation(); }
};

}  // namespace statehouse::detail
