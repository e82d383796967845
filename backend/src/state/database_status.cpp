#include "state/database.hpp"
#include "statehouse/sqlite_version.hpp"

// What a database tells of itself.

namespace statehouse::detail {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

database_state Database::shown() const noexcept {
  if (wanted_ || state_ == state::opening) return database_state::opening;
  if (state_ == state::ready) return database_state::ready;
  const bool failed = state_ == state::failed || (core_ == nullptr && !last_error_.empty());
  return failed ? database_state::failed : database_state::closed;
}

std::optional<DatabaseStats> Database::stats() const {
  DatabaseStats result;
  std::shared_ptr<PoolCore> core;
  {
    std::lock_guard lock(mutex_);
    if (state_ == state::gone ? !closed_at_ : state_ == state::absent && !wanted_) return std::nullopt;
    result.state = shown();
    result.last_error = last_error_;
    core = core_;
  }
  result.name = text_;
  result.vulnerable_sqlite = sqlite_version().wal_reset_bug;
  if (core == nullptr) return result;
  DatabaseStats live = core->stats();
  // The pool of a failed database closes by itself, which does not make the database well.
  if (result.state == database_state::failed) live.state = result.state;
  return live;
}

health_reason Database::reason() const noexcept {
  if (ending_) return health_reason::shutting_down;
  if (state_ == state::ready) return health_reason::none;
  if (wanted_ || state_ == state::opening) return migration_ ? health_reason::migrating : health_reason::opening;
  if (state_ == state::absent) return health_reason::not_opened;
  return loss_ ? reason_of(*loss_) : health_reason::failed;
}

DatabaseHealth Database::health() const {
  DatabaseHealth result;
  std::shared_ptr<PoolCore> core;
  {
    std::lock_guard lock(mutex_);
    result.state = shown();
    result.required = options()->required;
    result.reason = reason();
    if (result.reason == health_reason::migrating) result.migration = migration_;
    if (result.reason == health_reason::none) core = core_;
  }
  result.name = text_;
  if (core != nullptr) result.reason = core->trouble();
  return result;
}

bool Database::is_idle() const {
  std::lock_guard lock(mutex_);
  return !wanted_ && state_ != state::opening && (core_ == nullptr || state_ == state::gone) &&
         (removal_ == removal::unwanted || state_ == state::gone);
}

bool Database::is_gone() const {
  std::lock_guard lock(mutex_);
  return state_ == state::gone;
}

bool Database::is_unopened() const {
  std::lock_guard lock(mutex_);
  return state_ == state::absent && !wanted_;
}

std::optional<ShutdownReport::Database> Database::report() const {
  std::lock_guard lock(mutex_);
  if (core_ == nullptr ? state_ != state::opening : core_->ended_asleep()) return std::nullopt;
  ShutdownReport::Database report;
  report.name = text_;
  report.closed = state_ == state::gone;
  report.interrupted = interrupted_;
  if (!report.closed && core_ != nullptr) report.holders = core_->at_work();
  report.failure = removal_failure_ != nullptr ? text_of(removal_failure_) : unfinished_;
  const auto until = closed_at_ ? *closed_at_ : surroundings_->config.clock->now();
  report.took = duration_cast<milliseconds>(until - end_began_);
  return report;
}

}  // namespace statehouse::detail
