#include "lane/lane.hpp"

// How connections that nobody uses are closed, and how a lane sleeps without any.

namespace statehouse::detail {

bool Lane::fall_asleep() {
  std::lock_guard lock(mutex_);
  if (queue_.closed() != nullptr || !queue_.begins() || !queue_.empty() || !slots_.all_idle()) return false;
  queue_.fall_asleep();
  return true;
}

void Lane::wake_up() {
  std::lock_guard lock(mutex_);
  queue_.wake();
  history_.forget_last_error();
  if (queue_.begins()) schedule_idle();
}

void Lane::fail_waiting(const std::exception_ptr& error) {
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    after.ended = queue_.fail_all(error);
    for (const Operation& operation : after.ended) history_.add_unopened(operation);
  }
  after.carry_out(context_, messages_);
}

void Lane::close_idle() noexcept {
  close_connections();
  std::lock_guard lock(mutex_);
  slots_.note_all_closed();
}

void Lane::close_quiet(TimeLimit time) {
  std::lock_guard lock(mutex_);
  for (Slot* const slot : slots_.take_quiet(context_.clock->now(), time)) {
    slot->enter(Slot::state::scheduled);
    context_.executor.post([this, owner = context_.owner.lock(), slot] { close_one(*slot); });
  }
}

void Lane::close_one(Slot& slot) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!slot.is(Slot::state::scheduled)) return;  // parked meanwhile
    slot.enter(Slot::state::running);
  }
  slot.close(before_close_);
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    after = free(slot);
  }
  after.carry_out(context_, messages_);
}

bool Lane::quiet_for(TimeLimit time) {
  std::lock_guard lock(mutex_);
  return slots_.quiet_for(time, context_.clock->now());
}

bool Lane::anybody_waits() const {
  std::lock_guard lock(mutex_);
  return !queue_.empty();
}

bool Lane::any_open() const {
  std::lock_guard lock(mutex_);
  return slots_.connections() > 0;
}

}  // namespace statehouse::detail
