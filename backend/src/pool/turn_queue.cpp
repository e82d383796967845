#include "pool/turn_queue.hpp"

#include <utility>

namespace statehouse::detail {

void TurnQueue::add(std::function<void()> turn) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(turn));
    if (waiting_.size() > 1) return;
  }
  post();
}

void TurnQueue::post() {
  executor_.post([self = shared_from_this()] { self->run(); });
}

void TurnQueue::run() {
  std::function<void()> turn;
  {
    std::lock_guard lock(mutex_);
    turn = std::move(waiting_.front());
  }
  turn();
  {
    std::lock_guard lock(mutex_);
    waiting_.pop_front();
    if (waiting_.empty()) return;
  }
  post();
}

}  // namespace statehouse::detail
