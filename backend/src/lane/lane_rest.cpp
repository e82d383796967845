#include <algorithm>

#include "lane/lane.hpp"

// How connections that nobody uses are closed, and how a lane sleeps without any.

namespace statehouse::detail {

bool Lane::fall_asleep() {
  std::lock_guard lock(mutex_);
  if (queue_.closed() != nullptr || !queue_.begins() || !queue_.empty() || !slots_.all_idle()) return false;
  queue_.fall_asleep();
  return true;
}

void Lane::wake_up(bool one_more) {
  std::lock_guard lock(mutex_);
  queue_.wake();
  history_.forget_last_error();
  if (one_more) slots_.grant();
  if (queue_.begins()) schedule_idle();
  slots_.return_granted();
}

void Lane::stay_awake() {
  std::lock_guard lock(mutex_);
  queue_.wake();
  if (queue_.begins()) schedule_idle();
}

/// On a database thread.
void Lane::granted() {
  std::lock_guard lock(mutex_);
  slots_.grant();
  if (queue_.ready()) schedule_idle();
  slots_.return_granted();
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

void Lane::close_quiet(TimeLimit time) {
  std::lock_guard lock(mutex_);
  if (queue_.asleep()) return;  // all are being closed, or are
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

/// The thread has the slot. False when it keeps its connection.
bool Lane::close_for_others(Slot& slot) noexcept {
  slot.clean();
  if (slot.session() == nullptr) return false;
  const bool writes = role_ == connection_role::writer;
  if (writes && (!context_.before_close_alone || !context_.before_close_alone(*slot.session()))) return false;
  slot.close(nullptr);
  return true;
}

bool Lane::close_idle_one() {
  Slot* slot = nullptr;
  {
    std::lock_guard lock(mutex_);
    slot = queue_.closed() == nullptr && !queue_.asleep() ? slots_.take_open() : nullptr;
    if (slot == nullptr) return false;
    slot->enter(Slot::state::running);
  }
  const bool closed = close_for_others(*slot);
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    if (queue_.closed() != nullptr) {
      after = free(*slot);
    } else {
      slots_.put_idle(*slot);
      if (queue_.ready()) schedule_idle();  // behind those who have waited for this one
      if (queue_.held()) freed_.notify_one();
    }
  }
  after.carry_out(context_, messages_);
  return closed;
}

bool Lane::look_at_idle(const std::function<void(Session&)>& look) {
  Slot* slot = nullptr;
  {
    std::lock_guard lock(mutex_);
    slot = queue_.closed() == nullptr && !queue_.asleep() ? slots_.take_open() : nullptr;
    if (slot == nullptr) return false;
    slot->enter(Slot::state::running);
  }
  Session* const session = slot->session();  // none, where it could not be opened anew
  if (session != nullptr) look(*session);
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    after = free(*slot);
  }
  after.carry_out(context_, messages_);
  return session != nullptr;
}

Clock::time_point Lane::last_use() const {
  std::lock_guard lock(mutex_);
  Clock::time_point last{};
  for (const Slot& slot : slots_) last = std::max(last, slot.since());
  return last;
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
