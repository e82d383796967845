#include "state/database.hpp"
#include "state/stats_sums.hpp"

// What one database adds to the sum of those that are not shown by themselves.

namespace statehouse::detail {

bool Database::asked_for() const {
  std::lock_guard lock(mutex_);
  return was_asked_for();
}

bool Database::mentioned() const {
  std::lock_guard lock(mutex_);
  return own_migrator_ || own_options_ || was_asked_for();
}

bool Database::was_asked_for() const {
  if (core_ != nullptr || state_ == state::failed || closed_at_) return true;
  if (state_ == state::opening) return !visiting_;
  return wanted_ && (visitors_.empty() || !waiters_->empty());
}

bool Database::awake() const {
  const auto core = open_pool();
  return core != nullptr && !core->asleep();
}

std::uint64_t Database::operations() const {
  std::shared_ptr<PoolCore> core;
  {
    std::lock_guard lock(mutex_);
    core = core_;
  }
  return core != nullptr ? core->operations() : 0;
}

/// On a database thread, before anything runs. Who gives up before there is a thread for this is counted by the database
/// alone.
void Database::on_wake() {
  {
    std::lock_guard lock(share_mutex_);
    if (std::exchange(settled_, false)) counted_ = std::make_unique<DatabaseStats>(stats().value_or(DatabaseStats()));
  }
  surroundings_->maintenance->watch(weak_from_this());
}

/// What it has counted and is not settled. Under the share's mutex.
DatabaseStats Database::share(DatabaseStats now) const {
  if (counted_ != nullptr) subtract_counters(now, *counted_);
  return now;
}

void Database::show_alone(DatabaseStats& settled) {
  std::lock_guard lock(share_mutex_);
  shown_alone_ = true;
  if (!settled_ && summed_) add_counters(settled, share(stats().value_or(DatabaseStats())));
  settled_ = false;
  counted_.reset();
}

void Database::add_to(StatsSummary& summary, DatabaseStats& settled) {
  std::lock_guard lock(share_mutex_);
  if (!settled_ && !asked_for()) return;
  ++summary.others;
  if (settled_) {
    ++summary.other_states[static_cast<std::size_t>(state_of_sleeper())];
    return;
  }
  DatabaseStats now = stats().value_or(DatabaseStats());
  const bool sleeps = now.state == database_state::asleep;
  ++summary.other_states[static_cast<std::size_t>(now.state)];
  if (!sleeps) add_gauges(summary.sum, now);
  add_counters(sleeps ? settled : summary.sum, share(std::move(now)));
  summed_ = true;
  settled_ = sleeps;
  if (sleeps) counted_.reset();
}

void Database::settle(DatabaseStats& settled) {
  std::lock_guard lock(share_mutex_);
  left_sums_ = true;
  if (!std::exchange(settled_, true) && summed_ && !shown_alone_)
    add_counters(settled, share(stats().value_or(DatabaseStats())));
  counted_.reset();
}

database_state Database::state_of_sleeper() const {
  std::lock_guard lock(mutex_);
  return state_ == state::ready ? database_state::asleep : shown();
}

}  // namespace statehouse::detail
