#include "engine/interrupter.hpp"

#include <cerrno>
#include <utility>

#include "statehouse/error.hpp"

namespace statehouse::detail {

boost::system::error_code code_of(stop_reason reason) noexcept {
  switch (reason) {
    case stop_reason::none: return {};
    case stop_reason::deadline: return errc::deadline_exceeded;
    case stop_reason::shutdown: return errc::closed;
    case stop_reason::cancelled: break;
  }
  return {ECANCELED, boost::system::system_category()};  // boost::asio::error::operation_aborted
}

void Interrupter::attach(const void* connection, std::function<void()> interrupt) noexcept {
  std::lock_guard lock(mutex_);
  connection_ = connection;
  interrupt_.swap(interrupt);
}

void Interrupter::detach(const void* connection) noexcept {
  std::function<void()> none;
  std::lock_guard lock(mutex_);
  if (connection_ == connection) interrupt_.swap(none);
}

void Interrupter::set(stop_reason requested, Clock::time_point deadline, const void* operation) noexcept {
  requested_.store(requested, std::memory_order_relaxed);
  deadline_.store(deadline.time_since_epoch().count(), std::memory_order_relaxed);
  operation_ = operation;
}

void Interrupter::arm(Clock::time_point deadline, const void* operation) noexcept {
  std::lock_guard lock(mutex_);
  set(closing_ ? stop_reason::shutdown : stop_reason::none, deadline, operation);
}

void Interrupter::disarm() noexcept {
  std::lock_guard lock(mutex_);
  closing_ = false;
  set(stop_reason::none, Clock::time_point::max(), nullptr);
}

void Interrupter::request_locked(stop_reason reason) noexcept {
  closing_ = closing_ || reason == stop_reason::shutdown;
  if (requested_.load(std::memory_order_relaxed) == stop_reason::none)
    requested_.store(reason, std::memory_order_relaxed);
  if (interrupt_ && !shielded_.load(std::memory_order_relaxed)) interrupt_();
}

void Interrupter::request(stop_reason reason) noexcept {
  std::lock_guard lock(mutex_);
  request_locked(reason);
}

void Interrupter::request(stop_reason reason, const void* operation) noexcept {
  std::lock_guard lock(mutex_);
  if (operation_ == operation) request_locked(reason);
}

stop_reason Interrupter::reason() const noexcept {
  if (shielded_.load(std::memory_order_relaxed)) return stop_reason::none;
  const auto requested = requested_.load(std::memory_order_relaxed);
  if (requested != stop_reason::none) return requested;
  const auto deadline = deadline_.load(std::memory_order_relaxed);
  if (deadline == Clock::time_point::max().time_since_epoch().count()) return stop_reason::none;
  return clock_->now().time_since_epoch().count() >= deadline ? stop_reason::deadline : stop_reason::none;
}

/// `deadline` has passed: hits only an operation that it is meant for.
void Interrupter::interrupt_after(Clock::time_point::rep deadline) noexcept {
  std::lock_guard lock(mutex_);
  if (!interrupt_ || shielded_.load(std::memory_order_relaxed) || has_open_query()) return;
  if (deadline_.load(std::memory_order_relaxed) <= deadline) interrupt_();
}

Interrupter::Limit::Limit(std::shared_ptr<Interrupter> interrupter, Clock::time_point deadline)
    : interrupter_(std::move(interrupter)), outer_(interrupter_->deadline_.load(std::memory_order_relaxed)) {
  const auto own = deadline.time_since_epoch().count();
  if (own >= outer_) return;
  timer_ = interrupter_->clock().make_timer([weak = std::weak_ptr(interrupter_), own] {
    if (const auto self = weak.lock()) self->interrupt_after(own);
  });
  timer_->arm(deadline);
  std::lock_guard lock(interrupter_->mutex_);  // last: what has thrown leaves no deadline behind
  interrupter_->deadline_.store(own, std::memory_order_relaxed);
}

Interrupter::Limit::~Limit() {
  std::lock_guard lock(interrupter_->mutex_);
  interrupter_->deadline_.store(outer_, std::memory_order_relaxed);
}

Interrupter::Shield::Shield(Interrupter& interrupter) noexcept : interrupter_(interrupter) {
  std::lock_guard lock(interrupter_.mutex_);
  outer_ = interrupter_.shielded_.exchange(true, std::memory_order_relaxed);
}

Interrupter::Shield::~Shield() {
  std::lock_guard lock(interrupter_.mutex_);
  interrupter_.shielded_.store(outer_, std::memory_order_relaxed);
}

}  // namespace statehouse::detail
