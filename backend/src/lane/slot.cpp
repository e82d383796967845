#include "lane/slot.hpp"

#include <cassert>
#include <utility>

#include "base/deadline.hpp"
#include "engine/connection_access.hpp"

namespace statehouse::detail {

Session* Slot::session() const noexcept {
  return connection == nullptr ? nullptr : &session_of(*connection);
}

void Slot::clean() noexcept {
  if (connection == nullptr) return;
  switch (session()->clean()) {
    case hygiene::clean: return;
    case hygiene::rolled_back: rolled_back_.fetch_add(1, std::memory_order_relaxed); return;
    case hygiene::broken:
      connection.reset();
      open_ = false;
      replaced_.fetch_add(1, std::memory_order_relaxed);
  }
}

void Slot::adopt(std::unique_ptr<Connection> opened, std::shared_ptr<Interrupter> stop) noexcept {
  connection = std::move(opened);
  interrupter = std::move(stop);
  quiet_since_ = {};
  open_ = true;
}

void Slot::close(const std::function<void(Session&)>* before_close) noexcept {
  if (connection == nullptr) connection = std::move(spent);
  if (connection == nullptr) return;
  interrupter->disarm();
  session()->clean();
  if (before_close != nullptr && *before_close) (*before_close)(*session());
  connection.reset();
  open_ = false;
}

bool Slot::quiet_for(TimeLimit time, Clock::time_point now) noexcept {
  if (const auto used = since(); used != seen_ || quiet_since_ == Clock::time_point()) {
    seen_ = used;
    quiet_since_ = now;
  }
  return reaches(now - quiet_since_, time);
}

/// After a user who has changed it for good. The old one is kept until the new one is there: it may have what nobody
/// else has, and the last to be closed would take the log with it.
void Slot::set_aside() noexcept {
  if (connection == nullptr || leased() || session()->put_back()) return;
  spent = std::move(connection);
  replaced_.fetch_add(1, std::memory_order_relaxed);
}

void Slot::renew(const Open& open) {
  auto fresh = open(interrupter);
  if (spent != nullptr) session_of(*fresh).take_over(session_of(*spent));
  connection = std::move(fresh);
  spent.reset();
  open_ = true;
}

std::exception_ptr Slot::make_ready(const Open& open, const std::function<void(Session&)>* before_next) noexcept {
  clean();
  set_aside();
  try {
    if (connection == nullptr) renew(open);
    if (before_next != nullptr && *before_next) (*before_next)(*session());
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

bool Slot::may_follow(state from, state to) noexcept {
  switch (from) {
    case state::idle:
      return to == state::scheduled || to == state::running || to == state::leased_idle || to == state::parked;
    case state::scheduled: return to == state::running || to == state::parked;
    case state::running:
      return to == state::idle || to == state::scheduled || to == state::leased_idle || to == state::parked;
    case state::leased_idle: return to != state::running && to != state::leased_running;
    case state::leased_waiting: return to == state::leased_running || to == state::leased_idle;
    case state::leased_running: return to == state::leased_idle;
    case state::parked: return false;
  }
  return false;
}

void Slot::enter(state next) noexcept {
  assert(may_follow(state_, next));
  state_ = next;
}

void Slot::begin(const Operation& operation, Clock::time_point now) noexcept {
  since_.store(now, std::memory_order_relaxed);
  current_.store(&operation, std::memory_order_release);
}

void Slot::lease_to(Operation& operation, Lane& lane, std::shared_ptr<void> owner, Clock::time_point now) noexcept {
  enter(state::leased_idle);
  reported = false;
  since_.store(now, std::memory_order_relaxed);
  const Request& request = operation.request();
  lease_ = {.ticket = lease_.ticket + 1,
            .verb = request.verb,
            .where = request.where,
            .since = now,
            .in_transaction = request.kind.around == bracket::transaction};
  operation.give(LeaseHandle({std::move(owner), &lane, this, lease_.ticket}));
}

void Slot::wait_on_lease(Operation& operation) noexcept {
  enter(state::leased_waiting);
  lease_.waiting = &operation;
  operation.status = Operation::progress::queued;
  operation.slot = this;
}

Operation& Slot::run_on_lease() noexcept {
  enter(state::leased_running);
  lease_.waiting->status = Operation::progress::running;
  return *std::exchange(lease_.waiting, nullptr);
}

Operation& Slot::give_up_waiting() noexcept {
  enter(state::leased_idle);
  lease_.waiting->status = Operation::progress::done;
  return *std::exchange(lease_.waiting, nullptr);
}

}  // namespace statehouse::detail
