#include <algorithm>

#include "base/deadline.hpp"
#include "lane/lane.hpp"

// How waiting ends otherwise: cancellation, timeouts, operations held back, the end of the lane. And what a lane tells
// of itself.

namespace statehouse::detail {

bool Lane::hold_back(TimeLimit limit) {
  std::unique_lock lock(mutex_);
  queue_.hold();
  return freed_.wait_until(lock, after(std::chrono::steady_clock::now(), limit),
                           [&] { return std::ranges::none_of(slots_, &Slot::reads); });
}

void Lane::open_again() {
  std::lock_guard lock(mutex_);
  queue_.release();
  if (queue_.begins()) schedule_idle();
}

std::vector<Holder> Lane::reading() const {
  std::lock_guard lock(mutex_);
  std::vector<Holder> result;
  for (const Slot& slot : slots_)
    if (slot.in_use() && slot.reads()) result.push_back(messages_.describe(slot, context_.clock->now()));
  return result;
}

std::vector<Holder> Lane::holders() const {
  std::lock_guard lock(mutex_);
  return messages_.holders(slots_, context_.clock->now());
}

void Lane::cancel(Operation& operation, asio::cancellation_type type) noexcept {
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    if (operation.status == Operation::progress::running) {
      if ((type & asio::cancellation_type::terminal) == asio::cancellation_type::none) return;
      operation.cancelled.store(true, std::memory_order_relaxed);  // before the mutex of `request`
      return operation.slot->interrupter->request(stop_reason::cancelled, &operation);
    }
    // Its caller may not look at what it gives: a stream cannot go on behind it.
    if (operation.status == Operation::progress::done &&
        (type & asio::cancellation_type::terminal) != asio::cancellation_type::none)
      operation.cancelled.store(true, std::memory_order_relaxed);
    if (operation.status != Operation::progress::queued) return;
    if (Slot* const slot = operation.slot; slot == nullptr) {
      queue_.remove(operation);
    } else {
      slot->give_up_waiting();
      if (slot->lease().dropped) after = free(*slot);
    }
    ++history_.cancelled;
    operation.fail(messages_.cancelled());
    after.ended.push_back(operation);
  }
  after.carry_out(context_, messages_);
}

void Lane::expire() {
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    const auto now = context_.clock->now();
    after.ended = queue_.expire(now, [&](Operation& operation) {
      ++history_.acquire_timeouts;
      operation.fail(messages_.timed_out(operation, now, queue_, slots_, history_.last_error()));
    });
    timer_.arm_again(queue_.next_expiry());
  }
  after.carry_out(context_, messages_);
}

void Lane::close(const std::exception_ptr& error) {
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    if (queue_.closed() != nullptr) return;
    after.ended = queue_.close(error);
    slots_.park_unused();
    timer_.disarm();
  }
  after.carry_out(context_, messages_);
}

void Lane::interrupt() noexcept {
  Afterwards after;
  after.parked = true;
  {
    std::lock_guard lock(mutex_);
    for (Slot& slot : slots_) {
      if (slot.running()) slot.interrupter->request(stop_reason::shutdown);
      if (slot.is(Slot::state::leased_running)) slot.drop_lease();
      if (slot.is(Slot::state::leased_waiting)) {
        Operation& operation = slot.give_up_waiting();
        operation.fail(queue_.closed());
        after.ended.push_back(operation);
      }
      if (slot.is(Slot::state::leased_idle)) slot.enter(Slot::state::parked);
    }
  }
  after.carry_out(context_, messages_);
}

bool Lane::parked() const {
  std::lock_guard lock(mutex_);
  return queue_.closed() != nullptr &&
         std::ranges::all_of(slots_, [](const Slot& slot) { return slot.is(Slot::state::parked); });
}

void Lane::close_connections() noexcept {
  for (Slot& slot : slots_) slot.close(before_close_);
  std::lock_guard lock(mutex_);
  slots_.note_all_closed();
}

void Lane::report_long_leases() {
  const auto limit = context_.options->long_lease;
  if (limit == TimeLimit()) return;
  std::vector<Holder> found;
  {
    std::lock_guard lock(mutex_);
    const auto now = context_.clock->now();
    for (Slot& slot : slots_) {
      if (!slot.in_use() || slot.reported) continue;
      const Holder holder = messages_.describe(slot, now);
      if (holder.held_for < limit) continue;
      slot.reported = true;
      found.push_back(holder);
    }
  }
  for (const Holder& holder : found) messages_.log_long_lease(holder);
}

LaneStats Lane::stats() const {
  std::lock_guard lock(mutex_);
  LaneStats result = history_.stats();
  result.connections = slots_.connections();
  result.max_connections = slots_.most();
  result.waiting = queue_.size();
  for (const Slot& slot : slots_) {
    result.in_use += slot.in_use() ? 1 : 0;
    result.rolled_back += slot.rolled_back();
    result.replaced += slot.replaced();
  }
  return result;
}

std::uint64_t Lane::completed() const {
  std::lock_guard lock(mutex_);
  return history_.stats().completed;
}

bool Lane::full() const {
  std::lock_guard lock(mutex_);
  return queue_.full() && (!queue_.begins() || !slots_.any_idle());
}

bool Lane::found_disk_full_since(Clock::time_point since) const {
  std::lock_guard lock(mutex_);
  return history_.disk_full_at() >= since;
}

std::string Lane::last_error() const {
  std::lock_guard lock(mutex_);
  return history_.last_error();
}

}  // namespace statehouse::detail
