#include "state/closing_run.hpp"

#include <algorithm>

#include "base/deadline.hpp"

namespace statehouse::detail {

void ClosingRun::refuse(ending why) {
  std::lock_guard lock(mutex_);
  timer_ = clock_->make_timer([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->proceed();
  });
  const auto now = clock_->now();
  for (const auto& database : databases_) {
    const bool removed = why == ending::removal && database == databases_.back();
    if (database->refuse(why == ending::removal && !removed ? ending::close : why, now,
                         [self = shared_from_this()] { self->on_gone(); }))
      ++open_;
  }
}

void ClosingRun::limit(ShutdownOptions options) {
  std::lock_guard lock(mutex_);
  const auto now = clock_->now();
  grace_ends_ = std::min(grace_ends_, after(now, std::min(options.grace, options.deadline)));
  deadline_ = std::min(deadline_, after(now, options.deadline));
}

void ClosingRun::close() {
  for (const auto& database : databases_) database->close();
  std::lock_guard lock(mutex_);
  told_ = true;
}

void ClosingRun::proceed() {
  const auto now = clock_->now();
  bool interrupt = false;
  {
    std::lock_guard lock(mutex_);
    if (!told_) return;  // whoever tells them comes here afterwards
    interrupt = open_ > 0 && now >= grace_ends_;
  }
  if (interrupt)
    for (const auto& database : databases_) database->interrupt();
  boost::intrusive::list<ClosingWaiter> released;
  {
    std::lock_guard lock(mutex_);
    if (open_ == 0 || now >= deadline_) {
      released.swap(waiters_);
      timer_->disarm();
    } else if (const auto next = now < grace_ends_ ? grace_ends_ : deadline_; next != Clock::time_point::max()) {
      timer_->arm(next);
    }
  }
  while (!released.empty()) {
    ClosingWaiter& waiter = released.front();
    released.pop_front();
    waiter.resume();
  }
}

void ClosingRun::on_gone() {
  {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
    if (--open_ > 0) return;
  }
  proceed();
}

void ClosingRun::wait(ClosingWaiter& waiter) {
  {
    std::lock_guard lock(mutex_);
    if (open_ > 0 && clock_->now() < deadline_) {
      waiters_.push_back(waiter);
      return;
    }
  }
  waiter.resume();
}

ShutdownReport ClosingRun::report() const {
  ShutdownReport report;
  for (const auto& database : databases_)
    if (auto part = database->report()) report.databases.push_back(std::move(*part));
  return report;
}

bool ClosingRun::close_now(Clock::duration limit) {
  const auto give_up = std::chrono::steady_clock::now() + limit;
  for (;;) {
    // Here and not on a database thread: an injected executor may have stopped running.
    for (const auto& database : databases_) database->close_now();
    std::unique_lock lock(mutex_);
    if (open_ == 0) return true;
    if (std::chrono::steady_clock::now() >= give_up) return false;
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
}

}  // namespace statehouse::detail
