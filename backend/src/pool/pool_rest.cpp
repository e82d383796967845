#include <spdlog/logger.h>

#include <utility>

#include "pool/chores.hpp"
#include "pool/pool_core.hpp"

// What a pool does once a second, and how it falls asleep and wakes.

namespace statehouse::detail {
namespace {

constexpr auto optimize_interval = std::chrono::hours(24);

}  // namespace

void PoolCore::look_after() {
  if (asleep()) {
    if (backups_.due()) wake();
    return;
  }
  if (readers_) readers_->report_long_leases();
  writer_.report_long_leases();
  queue_chores();
  backups_.begin_if_due();
  if (!close_if_lost()) rest_if_quiet();
}

/// Behind what waits for the writer; nobody waits for them.
void PoolCore::queue_chores() {
  if (!writer_.any_open()) return;
  const auto now = config_.clock->now();
  if (now - optimized_at_ >= optimize_interval) {
    optimized_at_ = now;
    queue_chore(writer_, config_.executor, operation_verb::optimize,
                [this](Session& writer) { engine_->optimize(writer, config_.options.connection.optimize_budget); });
  }
  const bool idle = of_engine([](Engine& engine) { return engine.note_idle(); });
  if (!idle || !idle_chore_.expired()) return;
  idle_chore_ = queue_chore(writer_, config_.executor, operation_verb::checkpoint,
                            [this](Session& writer) { engine_->on_idle(writer); });
}

/// The writer is the last: without readers it can cut the log to nothing.
void PoolCore::rest_if_quiet() {
  const TimeLimit time = config_.options.idle_close;
  if (time == TimeLimit()) return;
  if (readers_) readers_->close_quiet(time);
  if (!config_.may_sleep() || !writer_.quiet_for(time) || (readers_ && readers_->any_open())) return;
  if (!begin_to_sleep()) return;
  config_.logger->debug("database '{}': nobody uses it, so it falls asleep", config_.name);
  config_.executor.post([self = shared_from_this()] { self->fall_asleep(); });
}

/// From here on nobody uses a connection; who comes waits. False when somebody does, and nothing has changed.
bool PoolCore::begin_to_sleep() {
  {
    std::lock_guard lock(mutex_);
    if (rest_ != rest::awake || closing_ || in_turn_ || turn_asked_) return false;
    rest_ = rest::falling_asleep;
    work_began_ = config_.clock->now();
  }
  if (backups_.pause()) {
    if (!readers_ || readers_->fall_asleep()) {
      if (writer_.fall_asleep()) return true;
      if (readers_) readers_->wake_up();
    }
    backups_.resume();
  }
  {
    std::lock_guard lock(mutex_);
    rest_ = rest::awake;
    wake_asked_ = false;
  }
  on_parked();
  return false;
}

/// On a database thread.
void PoolCore::fall_asleep() {
  if (readers_) readers_->close_idle();
  writer_.close_idle();
  if (const std::string unfinished = release_engine(); !unfinished.empty())
    config_.logger->error("database '{}': {}", config_.name, unfinished);
  left_ = FileTrace::of(config_.path);
  bool wanted = false;
  {
    std::lock_guard lock(mutex_);
    rest_ = rest::asleep;
    wanted = std::exchange(wake_asked_, false);
  }
  on_parked();
  if (wanted || backups_.due()) wake();
}

bool PoolCore::asleep() const {
  std::lock_guard lock(mutex_);
  return rest_ == rest::asleep;
}

void PoolCore::wake() {
  std::lock_guard lock(mutex_);
  if (rest_ == rest::falling_asleep) wake_asked_ = true;
  if (rest_ != rest::asleep || closing_) return;
  rest_ = rest::waking;
  work_began_ = config_.clock->now();
  waking_ = std::make_shared<Interrupter>(config_.clock);
  config_.executor.post([self = shared_from_this()] { self->wake_up(); });
}

/// On a database thread. When it fails all who wait are told why, and the next to come has it tried again.
void PoolCore::wake_up() {
  std::exception_ptr failure;
  try {
    open_engine(waking_);
  } catch (...) {
    failure = std::current_exception();
    release_engine();
  }
  {
    std::lock_guard lock(mutex_);
    waking_.reset();
    rest_ = failure == nullptr ? rest::awake : rest::asleep;
  }
  if (failure == nullptr) {
    backups_.resume();
    backups_.begin_if_due();
    if (config_.on_wake) config_.on_wake();
    if (readers_) readers_->wake_up();
    writer_.wake_up();
  } else {
    tell_unwakeable(failure);
  }
  on_parked();
}

void PoolCore::tell_unwakeable(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    config_.logger->error("database '{}': cannot be opened again: {}", config_.name, error.what());
  } catch (...) {
    config_.logger->error("database '{}': cannot be opened again", config_.name);
  }
  if (readers_) readers_->fail_waiting(failure);
  writer_.fail_waiting(failure);
}

/// All connections are closed. Says what could not be finished.
std::string PoolCore::release_engine() {
  std::unique_ptr<Engine> engine;
  {
    std::lock_guard lock(engine_mutex_);
    engine = std::move(engine_);
  }
  if (engine == nullptr) return {};
  std::string unfinished = engine->release();
  add_to_past(engine->facts());
  return unfinished;
}

}  // namespace statehouse::detail
