#include "lane/connection_budget.hpp"

#include <algorithm>
#include <cassert>
#include <vector>

namespace statehouse::detail {

bool ConnectionBudget::acquire(std::function<void()> granted) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || (waiting_.empty() && acquired_ < most_)) {
      ++acquired_;
      return true;
    }
    waiting_.push_back(std::move(granted));
    ++searches_;
    count_unmet();
  }
  executor_.post([self = shared_from_this()] { self->make_room(); });
  return false;
}

/// One who waits is unmet as soon as the search for him begins: what becomes idle behind it is closed by who has had
/// it.
void ConnectionBudget::count_unmet() noexcept {
  unmet_ = waiting_.size() - std::min(waiting_.size(), searches_);
}

void ConnectionBudget::make_room() {
  {
    std::lock_guard lock(mutex_);
    --searches_;
    count_unmet();
    if (waiting_.empty()) return;
  }
  make_room_();
}

void ConnectionBudget::release(std::size_t count) noexcept {
  std::vector<std::function<void()>> granted;
  {
    std::lock_guard lock(mutex_);
    assert(count <= acquired_);
    acquired_ -= count;
    while (!waiting_.empty() && acquired_ < most_) {
      ++acquired_;
      granted.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    count_unmet();
  }
  for (auto& grant : granted) executor_.post(std::move(grant));
}

void ConnectionBudget::close() noexcept {
  std::deque<std::function<void()>> dropped;  // under no mutex: they have those who come here
  std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(waiting_);
  count_unmet();
}

std::size_t ConnectionBudget::acquired() const {
  std::lock_guard lock(mutex_);
  return acquired_;
}

std::size_t ConnectionBudget::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

}  // namespace statehouse::detail
