#include <spdlog/logger.h>

#include <algorithm>
#include <utility>

#include "base/error_text.hpp"
#include "pool/chores.hpp"
#include "pool/pool_core.hpp"

// What a pool does once a second, and how it falls asleep and wakes.

namespace statehouse::detail {
namespace {

constexpr auto optimize_interval = std::chrono::hours(24);

}  // namespace

void PoolCore::look_after() {
  if (asleep()) {
    if (backup_due()) wake();
    return;
  }
  if (readers_) readers_->report_long_leases();
  writer_.report_long_leases();
  queue_chores();
  look_for_others();
  if (backups_) backups_->begin_if_due();
  if (!close_if_lost()) rest_if_quiet();
}

/// Behind what waits for the writer; nobody waits for them.
void PoolCore::queue_chores() {
  if (!writer_.any_open()) return;
  const auto now = config_.clock->now();
  if (now - optimized_at_ >= optimize_interval) {
    optimized_at_ = now;
    queue_chore(writer_, config_.executor, operation_verb::optimize,
                [this](Session& writer) { engine_->optimize(writer, config_.options->connection.optimize_budget); });
  }
  const bool idle = of_engine([](Engine& engine) { return engine.note_idle(); });
  if (!idle || !idle_chore_.expired()) return;
  idle_chore_ = queue_chore(writer_, config_.executor, operation_verb::checkpoint,
                            [this](Session& writer) { engine_->on_idle(writer); });
}

/// The writer is the last: without readers it can cut the log to nothing.
void PoolCore::rest_if_quiet() {
  const TimeLimit time = config_.options->idle_close;
  if (time == TimeLimit()) return;
  const bool listened_to = changes_.wanted();
  // Where the database is read only, one of them looks for commits.
  if (readers_ && !(listened_to && config_.options->read_only)) readers_->close_quiet(time);
  if (listened_to) return;
  if (!config_.may_sleep() || !writer_.quiet_for(time) || (readers_ && readers_->any_open())) return;
  if (!begin_to_sleep()) return;
  config_.logger->debug("database '{}': nobody uses it, so it falls asleep", config_.name);
  config_.executor.post([self = shared_from_this()] { self->fall_asleep(); });
}

bool PoolCore::sleep_now() {
  if (!config_.may_sleep() || !begin_to_sleep()) return false;
  const bool had_any = writer_.any_open() || (readers_ && readers_->any_open());
  config_.logger->debug("database '{}': it falls asleep, as others need its connections", config_.name);
  fall_asleep();
  return had_any;
}

bool PoolCore::close_idle_connection() {
  return (readers_ && readers_->close_idle_one()) || writer_.close_idle_one();
}

/// The writer gives its connection to others: false when it may not, as where it tells of commits. It is the last of
/// all only without readers, and then the log is cut; else whoever is last sees to that.
bool PoolCore::before_close_alone(Session& writer) {
  if (!config_.may_sleep() || changes_.wanted()) return false;
  {
    std::lock_guard lock(mutex_);
    if (turn_asked_ || in_turn_) return false;
  }
  if (readers_ && readers_->any_open()) {
    engine_->before_close_alone();
  } else {
    engine_->before_close(writer);
    close_if_lost();
  }
  return true;
}

/// A connection has become idle, and somebody else waits for one in vain.
void PoolCore::give_way() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(gives_way_, true)) return;
  }
  config_.executor.post([self = shared_from_this()] {
    {
      std::lock_guard lock(self->mutex_);
      self->gives_way_ = false;
    }
    // It may have been more than one that became idle.
    while (self->context_.budget->wanted() && (self->sleep_now() || self->close_idle_connection())) {
    }
  });
}

/// After a moment in which nobody could take what is idle: whoever has looked meanwhile does not come again.
void PoolCore::give_way_if_wanted() {
  if (context_.budget != nullptr && context_.budget->wanted()) give_way();
}

Clock::time_point PoolCore::last_use() const {
  const auto used = writer_.last_use();
  return readers_ ? std::max(used, readers_->last_use()) : used;
}

/// From here on nobody uses a connection; who comes waits. False when somebody does, and nothing has changed.
bool PoolCore::begin_to_sleep() {
  {
    std::lock_guard lock(mutex_);
    if (rest_ != rest::awake || closing_ || in_turn_ || turn_asked_) return false;
    rest_ = rest::falling_asleep;
    begun_ = false;
    work_began_ = config_.clock->now();
  }
  if (!backups_ || backups_->pause()) {
    if (!readers_ || readers_->fall_asleep()) {
      if (writer_.fall_asleep()) return true;
      if (readers_) readers_->stay_awake();
      if (readers_ && readers_->any_open()) give_way_if_wanted();
    }
    if (backups_) backups_->resume();
  }
  {
    std::lock_guard lock(mutex_);
    rest_ = rest::awake;
    wake_again_ = false;
  }
  on_parked();
  return false;
}

/// The thread for it is there. False when it is not wanted any more: the pool was closed.
bool PoolCore::begin(rest wanted) {
  std::lock_guard lock(mutex_);
  if (rest_ != wanted || begun_) return false;
  return begun_ = true;
}

/// On a database thread.
void PoolCore::fall_asleep() {
  if (!begin(rest::falling_asleep)) return;
  if (config_.awake != nullptr) config_.awake->remove(*this);
  if (readers_) readers_->close_connections();
  writer_.close_connections();
  close_if_lost();  // the last who knows of it goes
  if (const std::string unfinished = release_engine(); !unfinished.empty())
    config_.logger->error("database '{}': {}", config_.name, unfinished);
  left_ = FileTrace::of(config_.path);
  rest_until_needed();
}

void PoolCore::rest_until_needed() {
  bool wanted = false;
  {
    std::lock_guard lock(mutex_);
    rest_ = rest::asleep;
    waking_.reset();
    wanted = std::exchange(wake_again_, false);
  }
  tell_rest(true);
  on_parked();
  if (wanted || writer_.anybody_waits() || (readers_ && readers_->anybody_waits()) || backup_due()) wake();
}

void PoolCore::tell_rest(bool asleep) const {
  if (config_.on_rest) config_.on_rest(asleep);
}

bool PoolCore::asleep() const {
  std::lock_guard lock(mutex_);
  return rest_ == rest::asleep;
}

bool PoolCore::ended_asleep() const {
  std::lock_guard lock(mutex_);
  return ended_asleep_;
}

/// Who comes while it falls asleep or wakes is seen at the end of that.
void PoolCore::wake() {
  std::lock_guard lock(mutex_);
  wake_again_ = rest_ == rest::falling_asleep;
  if (rest_ != rest::asleep || closing_) return;
  rest_ = rest::waking;
  begun_ = false;
  work_began_ = config_.clock->now();
  waking_ = std::make_shared<Interrupter>(config_.clock);
  const auto self = shared_from_this();
  const auto go_on = [self] { self->wake_up(ConnectionPermit(self->context_.budget)); };
  if (context_.budget == nullptr || context_.budget->acquire(go_on)) {
    config_.executor.post(go_on);
  } else {
    config_.executor.post([self] { self->tell_rest(false); });  // who waits for a connection in vain is counted, too
  }
}

/// On a database thread, with a connection of the budget. When it fails all who wait are told why, and the next to come
/// has it tried again.
void PoolCore::wake_up(ConnectionPermit permit) {
  if (!begin(rest::waking)) return;
  tell_rest(false);
  try {
    open_engine(waking_, permit);
  } catch (...) {
    const auto failure = std::current_exception();
    release_engine();
    tell_unwakeable(failure);
    return rest_until_needed();
  }
  {
    std::lock_guard lock(mutex_);
    rest_ = rest::awake;
    waking_.reset();
  }
  if (context_.budget != nullptr) config_.awake->add(*this);
  if (backups_) {
    backups_->resume();
    backups_->begin_if_due();
  }
  // The permit, if it was not for the writer, is for a lane that somebody waits in.
  const bool one_more = permit.hand_on();
  const bool for_readers = one_more && readers_ && readers_->anybody_waits();
  if (readers_) readers_->wake_up(for_readers);
  writer_.wake_up(one_more && !for_readers);
  give_way_if_wanted();
  on_parked();
}

void PoolCore::tell_unwakeable(const std::exception_ptr& failure) {
  bool closing = false;
  {
    std::lock_guard lock(mutex_);
    closing = closing_;
  }
  if (!closing) {
    config_.logger->error("database '{}': cannot be opened again: {}", config_.name, text_of(failure));
    if (backup_due()) backups_->note_failure(failure);
  }
  if (readers_) readers_->fail_waiting(failure);
  writer_.fail_waiting(failure);
}

/// All connections are closed. Says what could not be finished.
std::string PoolCore::release_engine() {
  std::unique_ptr<Engine> engine;
  {
    std::lock_guard lock(engine_mutex_);
    if (engine_ == nullptr) return {};
    past_.add(engine_->facts());
    engine = std::move(engine_);
  }
  return engine->release();
}

}  // namespace statehouse::detail
