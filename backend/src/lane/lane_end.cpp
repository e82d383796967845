#include <algorithm>
#include <utility>

#include "lane/lane.hpp"
#include "pool/pool_core.hpp"

// How waiting ends otherwise: cancellation, timeouts, a pause, the end of the lane.

namespace statehouse::detail {
namespace {

std::exception_ptr aborted(const PoolConfig& config) {
  const boost::system::error_code code(ECANCELED, boost::system::system_category());
  return std::make_exception_ptr(Error(code, "cancelled while waiting for a connection", {config.name, {}}));
}

}  // namespace

bool Lane::pause(std::chrono::milliseconds limit) {
  // A lease that runs nothing has no snapshot.
  const auto reads = [](const Slot& slot) {
    const Operation* const current = slot.current.load(std::memory_order_acquire);
    return slot.status == Slot::state::running ||
           (slot.status == Slot::state::leased && current != nullptr && current->state_ == Operation::state::claimed);
  };
  std::unique_lock lock(mutex_);
  paused_ = true;
  return freed_.wait_for(lock, limit, [&] { return std::ranges::none_of(slots_, reads); });
}

void Lane::unpause() {
  std::lock_guard lock(mutex_);
  paused_ = false;
  // Those that became free meanwhile have not looked at what others have claimed either.
  for (std::size_t left = waiting(); left > 0 && closed_ == nullptr; --left) {
    Slot* const slot = take_idle();
    if (slot == nullptr) return;
    schedule(*slot);
  }
}

void Lane::cancel(Operation& operation, asio::cancellation_type type) noexcept {
  std::unique_lock lock(mutex_);
  if (operation.state_ == Operation::state::claimed) {
    Slot& slot = *operation.slot_;
    if (!slot.claims.withdraw(operation.claim_, operation)) {
      if ((type & asio::cancellation_type::terminal) != asio::cancellation_type::none) {
        operation.cancelled_.store(true, std::memory_order_relaxed);  // before the mutex of `request`
        slot.interrupter->request(stop_reason::cancelled, &operation);
      }
      return;
    }
  } else if (operation.state_ != Operation::state::queued) {
    return;
  } else if (operation.slot_ != nullptr) {
    operation.slot_->current.store(nullptr, std::memory_order_relaxed);
    if (operation.slot_->dropped) {
      free(*operation.slot_, lock);
      lock.lock();
    }
  } else {
    queue_.erase(OperationList::s_iterator_to(operation));
  }
  ++stats_.cancelled;
  operation.state_ = Operation::state::done;
  lock.unlock();
  refuse(operation, aborted(pool_.config()));
}

void Lane::arm_timer(Clock::time_point when) {
  if (when >= armed_) return;
  armed_ = when;
  if (timer_ == nullptr)
    timer_ = pool_.config().clock->make_timer([this, weak = pool_.weak_from_this()] {
      if (const auto pool = weak.lock()) expire();
    });
  timer_->arm(when);
}

void Lane::expire() {
  OperationList expired;
  {
    std::lock_guard lock(mutex_);
    const auto now = pool_.config().clock->now();
    auto earliest = Clock::time_point::max();
    for (auto it = queue_.begin(); it != queue_.end();) {
      Operation& operation = *it++;
      if (operation.wait_until_ > now) {
        earliest = std::min(earliest, operation.wait_until_);
        continue;
      }
      operation.error_ = timeout_error(operation, now);
      queue_.erase(OperationList::s_iterator_to(operation));
      end_waiting(operation, expired);
    }
    // What a batch has claimed, but not begun, waits as well.
    for (Slot& slot : slots_) {
      for (std::size_t place = 0; place < slot.claims.size(); ++place) {
        Operation* const operation = slot.claims.at(place);
        if (operation == nullptr) continue;
        if (operation->wait_until_ > now) {
          earliest = std::min(earliest, operation->wait_until_);
        } else if (slot.claims.withdraw(place, *operation)) {
          operation->error_ = timeout_error(*operation, now);
          end_waiting(*operation, expired);
        }
      }
    }
    armed_ = Clock::time_point::max();
    if (earliest != Clock::time_point::max()) arm_timer(earliest);
  }
  resume(expired);
}

void Lane::end_waiting(Operation& operation, OperationList& expired) {
  operation.state_ = Operation::state::done;
  ++stats_.acquire_timeouts;
  expired.push_back(operation);
}

void Lane::close(std::exception_ptr error) {
  OperationList refused;
  {
    std::lock_guard lock(mutex_);
    if (closed_ != nullptr) return;
    closed_ = error;
    for (Slot& slot : slots_) {
      if (slot.status == Slot::state::idle || slot.status == Slot::state::scheduled) slot.status = Slot::state::parked;
      // What a batch has claimed, but not begun, waits as well; nobody would look for it in the queue any more.
      for (std::size_t place = 0; place < slot.claims.size(); ++place)
        if (Operation* const operation = slot.claims.at(place);
            operation != nullptr && slot.claims.withdraw(place, *operation))
          refused.push_back(*operation);
    }
    refused.splice(refused.end(), queue_);
    for (Operation& operation : refused) operation.state_ = Operation::state::done;
    idle_.clear();
    if (timer_ != nullptr) timer_->disarm();
  }
  while (!refused.empty()) {
    Operation& operation = refused.front();
    refused.pop_front();
    refuse(operation, error);
  }
}

void Lane::interrupt() noexcept {
  std::vector<Operation*> refused;
  std::exception_ptr error;
  {
    std::lock_guard lock(mutex_);
    error = closed_;
    for (Slot& slot : slots_) {
      Operation* const current = slot.current.load(std::memory_order_acquire);
      const bool running = current != nullptr && current->state_ == Operation::state::claimed;
      if (running || slot.status == Slot::state::running) slot.interrupter->request(stop_reason::shutdown);
      if (slot.status != Slot::state::leased) continue;
      slot.dropped = running;
      if (running) continue;
      if (current != nullptr) {
        current->state_ = Operation::state::done;
        slot.current.store(nullptr, std::memory_order_relaxed);
        refused.push_back(current);
      }
      ++slot.ticket;
      slot.status = Slot::state::parked;
    }
  }
  for (Operation* operation : refused) refuse(*operation, error);
  pool_.lane_parked();
}

bool Lane::parked() const {
  std::lock_guard lock(mutex_);
  return std::ranges::all_of(slots_, [](const Slot& slot) { return slot.status == Slot::state::parked; });
}

void Lane::close_connections() noexcept {
  for (Slot& slot : slots_) {
    if (slot.connection == nullptr) continue;
    slot.interrupter->disarm();
    slot.connection->session().clean();
    if (role_ == connection_role::writer && pool_.file_in_place()) slot.connection->session().prepare_close();
    slot.connection.reset();
  }
}

}  // namespace statehouse::detail
