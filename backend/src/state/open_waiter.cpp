#include "state/open_waiter.hpp"

#include <algorithm>
#include <utility>

#include "base/deadline.hpp"

namespace statehouse::detail {

void OpenWaiter::finish(std::shared_ptr<PoolCore> core, std::exception_ptr error) noexcept {
  core_ = std::move(core);
  error_ = std::move(error);
  resume();
}

std::shared_ptr<PoolCore> OpenWaiter::take() {
  if (error_ != nullptr) std::rethrow_exception(error_);
  return std::move(core_);
}

void OpenWaiter::on_cancel(asio::cancellation_type type) noexcept {
  if (list_ != nullptr && type != asio::cancellation_type::none) list_->cancel(*this);
}

void OpenWaiters::add(OpenWaiter& waiter) {
  std::lock_guard lock(mutex_);
  waiter.list_ = this;
  waiter.id_ = ++last_id_;
  list_.push_back(waiter);
  if (waiter.timeout_ == TimeLimit()) return;
  waiter.timer_ = clock_->make_timer([weak = weak_from_this(), id = waiter.id_] {
    if (const auto self = weak.lock()) self->expire(id);
  });
  waiter.timer_->arm(after(clock_->now(), waiter.timeout_));
}

bool OpenWaiters::empty() const {
  std::lock_guard lock(mutex_);
  return list_.empty();
}

void OpenWaiters::cancel(OpenWaiter& waiter) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(waiter.id_, 0) == 0) return;
    list_.erase(list_.iterator_to(waiter));
  }
  waiter.finish(nullptr,
                std::make_exception_ptr(cancelled_error("cancelled while the database was being opened", database_)));
}

void OpenWaiters::expire(std::uint64_t id) {
  OpenWaiter* expired = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(list_, id, &OpenWaiter::id_);
    if (found == list_.end()) return;
    expired = &*found;
    expired->id_ = 0;
    list_.erase(found);
  }
  expired->finish(
      nullptr, std::make_exception_ptr(Error(
                   errc::acquire_timeout, "the database was not open in time; the opening goes on", {database_, {}})));
}

OpenWaiters::List OpenWaiters::take() noexcept {
  List taken;
  std::lock_guard lock(mutex_);
  taken.swap(list_);
  for (OpenWaiter& waiter : taken) waiter.id_ = 0;
  return taken;
}

void OpenWaiters::refuse(ending why) noexcept {
  for (List taken = take(); !taken.empty();) {
    OpenWaiter& waiter = taken.front();
    taken.pop_front();
    waiter.finish(nullptr, std::make_exception_ptr(closed_error(database_, why)));
  }
}

void OpenWaiters::finish(List taken, std::shared_ptr<PoolCore> core, std::exception_ptr error) noexcept {
  for (OpenWaiter& waiter : taken) {
    waiter.core_ = core;
    waiter.error_ = error;
  }
  error = nullptr;
  while (!taken.empty()) {
    OpenWaiter& waiter = taken.front();
    taken.pop_front();
    waiter.resume();
  }
}

}  // namespace statehouse::detail
