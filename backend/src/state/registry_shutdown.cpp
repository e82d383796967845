#include <spdlog/logger.h>

#include <algorithm>
#include <utility>

#include "base/deadline.hpp"
#include "state/registry.hpp"

namespace statehouse::detail {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

}  // namespace

bool Registry::all_gone() const {
  return std::ranges::all_of(entries_, [](const auto& item) {
    return item.second.status == Entry::state::absent || item.second.status == Entry::state::gone;
  });
}

bool Registry::idle() const {
  std::lock_guard lock(mutex_);
  return all_gone();
}

void Registry::begin_shutdown(ShutdownOptions options) {
  boost::intrusive::list<OpenWaiter> waiters;
  std::vector<Entry*> to_close;
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    const auto now = config_.clock->now();
    grace_ends_ = std::min(grace_ends_, after(now, std::min(options.grace, options.deadline)));
    deadline_ = std::min(deadline_, after(now, options.deadline));
    if (shutdown_timer_ == nullptr)
      shutdown_timer_ = config_.clock->make_timer([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->on_shutdown_timer();
      });
    first = !std::exchange(closed_, true);
    if (first) {
      shutdown_began_ = now;
      open_pools_.withdraw_all();
      if (maintenance_ != nullptr) maintenance_->disarm();
      for (auto& [name, target] : entries_) {
        for (OpenWaiter& waiter : target.waiters) {
          waiter.entry_ = nullptr;
          waiter.error_ =
              std::make_exception_ptr(Error(errc::closed, "shutdown has begun, nothing is reopened", {name, {}}));
        }
        waiters.splice(waiters.end(), target.waiters);
        if (target.core != nullptr) to_close.push_back(&target);
        if (target.status != Entry::state::opening || target.begun) continue;
        target.status = Entry::state::gone;  // waits for a thread; will find that it is not wanted
        target.closed_at = now;
      }
    }
  }
  while (!waiters.empty()) {
    OpenWaiter& waiter = waiters.front();
    waiters.pop_front();
    waiter.resume();
  }
  for (Entry* target : to_close) close(*target);
  if (first) {
    std::lock_guard lock(mutex_);
    pools_told_ = true;
  }
  on_shutdown_timer();
}

void Registry::close(Entry& target) {
  target.core->close(
      std::make_exception_ptr(Error(errc::closed, "shutdown has begun, nothing is reopened", {target.name, {}})),
      [self = shared_from_this(), &target] { self->on_closed(target); });
}

void Registry::on_closed(Entry& target) {
  std::unique_lock lock(mutex_);
  const auto took = config_.clock->now() - shutdown_began_;
  lock.unlock();
  config_.logger->info("database '{}': closed in {} ms", target.name, duration_cast<milliseconds>(took).count());
  lock.lock();
  target.status = Entry::state::gone;
  target.closed_at = shutdown_began_ + took;
  changed_.notify_all();
  if (all_gone()) release_shutdown_waiters(lock);
}

/// Does what is due, and arms the timer for what comes next.
void Registry::on_shutdown_timer() {
  std::unique_lock lock(mutex_);
  // A pool that has not been told to close must not be interrupted; whoever tells them comes here afterwards.
  if (!pools_told_) return;
  if (all_gone()) return release_shutdown_waiters(lock);
  const auto now = config_.clock->now();
  if (now >= grace_ends_) {
    lock.unlock();
    interrupt_all();
    lock.lock();
    if (all_gone()) return release_shutdown_waiters(lock);
  }
  if (now >= deadline_) return release_shutdown_waiters(lock);
  if (const auto next = now < grace_ends_ ? grace_ends_ : deadline_; next != Clock::time_point::max())
    shutdown_timer_->arm(next);
}

void Registry::interrupt_all() {
  std::vector<std::shared_ptr<PoolCore>> open;
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, target] : entries_) {
      if (target.status == Entry::state::gone) continue;
      if (target.interrupter != nullptr) {
        target.interrupter->request(stop_reason::shutdown);
        target.interrupted = true;
      }
      if (target.core == nullptr) continue;
      target.interrupted |= !target.core->holders().empty();
      open.push_back(target.core);
    }
  }
  for (const auto& core : open) core->interrupt();
}

void Registry::wait_for_shutdown(ShutdownWaiter& waiter) {
  {
    std::lock_guard lock(mutex_);
    if (!all_gone() && config_.clock->now() < deadline_) {
      shutdown_waiters_.push_back(waiter);
      return;
    }
  }
  waiter.resume();
}

void Registry::release_shutdown_waiters(std::unique_lock<std::mutex>& lock) {
  boost::intrusive::list<ShutdownWaiter> waiters;
  waiters.swap(shutdown_waiters_);
  if (shutdown_timer_ != nullptr) shutdown_timer_->disarm();
  lock.unlock();
  while (!waiters.empty()) {
    ShutdownWaiter& waiter = waiters.front();
    waiters.pop_front();
    waiter.resume();
  }
}

ShutdownReport Registry::report() const {
  std::lock_guard lock(mutex_);
  ShutdownReport report;
  for (const auto& [name, target] : entries_) {
    if (target.core == nullptr && target.status != Entry::state::opening) continue;  // was never open
    ShutdownReport::Database& database = report.databases.emplace_back();
    database.name = name;
    database.closed = target.status == Entry::state::gone;
    database.interrupted = target.interrupted;
    if (!database.closed && target.core != nullptr) database.holders = target.core->holders();
    database.took = duration_cast<milliseconds>(target.closed_at.value_or(config_.clock->now()) - shutdown_began_);
  }
  return report;
}

bool Registry::close_now(std::chrono::milliseconds limit) {
  begin_shutdown({.grace = milliseconds(0), .deadline = milliseconds(0)});
  const auto give_up = std::chrono::steady_clock::now() + limit;
  for (;;) {
    std::vector<std::shared_ptr<PoolCore>> open;
    {
      std::lock_guard lock(mutex_);
      if (all_gone()) return true;
      for (auto& [name, target] : entries_)
        if (target.core != nullptr && target.status != Entry::state::gone) open.push_back(target.core);
    }
    // Here and not on a database thread: an injected executor may have stopped running.
    for (const auto& core : open) core->close_now();
    std::unique_lock lock(mutex_);
    if (all_gone()) return true;
    if (std::chrono::steady_clock::now() >= give_up) return false;
    changed_.wait_for(lock, milliseconds(5));
  }
}

}  // namespace statehouse::detail
