#include <boost/asio/post.hpp>

#include "lane/lane.hpp"
#include "pool/pool_core.hpp"

// Connections that callers hold: how they get one, work on it, and give it back.

namespace statehouse::detail {

void Lane::lease_to(Slot& slot, Operation& operation) {
  slot.status = Slot::state::leased;
  slot.dropped = false;
  slot.reported = false;
  slot.verb = operation.request_.verb;
  slot.where = operation.request_.where;
  slot.leased_at = pool_.config().clock->now();
  operation.state_ = Operation::state::done;
  // If the caller never runs its completion, the handle in the operation gives the connection back.
  operation.lease_ = LeaseHandle({pool_.shared_from_this(), this, &slot, ++slot.ticket});
}

/// To an operation that wants nothing but the connection. Unlocks.
void Lane::hand_over(Slot& slot, Operation& operation, std::unique_lock<std::mutex>& lock) {
  lease_to(slot, operation);
  operation.started_ = slot.leased_at;
  ++stats_.completed;
  stats_.wait_time += operation.started_ - operation.submitted_;
  lock.unlock();
  log_slow(operation);
  operation.resume();
}

void Lane::submit_on_lease(const LeaseRef& lease, Operation& operation) {
  if (pool_.forked()) return pool_.refuse_fork(operation);
  Slot& slot = *lease.slot;
  const auto fail = [&](errc code, const char* message) {
    refuse(operation, std::make_exception_ptr(Error(code, message, {pool_.config().name, {}})));
  };
  std::unique_lock lock(mutex_);
  operation.lane_ = this;
  operation.submitted_ = pool_.config().clock->now();
  if (slot.status != Slot::state::leased || slot.ticket != lease.ticket) {
    const std::exception_ptr closed = closed_;
    lock.unlock();
    if (closed != nullptr) return refuse(operation, closed);
    return fail(errc::transaction_finished, "the transaction or lease is finished: begin or acquire a new one");
  }
  if (operation.request_.caller == &pool_) {
    lock.unlock();
    return fail(errc::would_deadlock, would_deadlock_text);
  }
  if (slot.current.load(std::memory_order_relaxed) != nullptr) {
    lock.unlock();
    return fail(errc::operation_in_progress, "the transaction or lease already runs a statement: await it first");
  }
  operation.state_ = Operation::state::queued;
  operation.slot_ = &slot;
  slot.current.store(&operation, std::memory_order_relaxed);
  // Like `schedule` under the mutex, which what is posted takes first.
  asio::post(pool_.config().executor, [this, pool = pool_.shared_from_this(), &slot] { run_leased(slot); });
}

void Lane::run_leased(Slot& slot) {
  Operation* operation = nullptr;
  {
    std::lock_guard lock(mutex_);
    operation = slot.status == Slot::state::leased ? slot.current.load(std::memory_order_relaxed) : nullptr;
    // Cancelled or taken back meanwhile; or a later one that another thread has begun already.
    if (operation == nullptr || operation->state_ != Operation::state::queued) return;
    operation->state_ = Operation::state::claimed;
    operation->started_ = pool_.config().clock->now();
  }
  const run_mode mode = operation->request_.mode;
  const bool spans = mode == run_mode::in_transaction || mode == run_mode::commit || mode == run_mode::rollback;
  if (const auto unusable = spans ? nullptr : make_ready(slot); unusable != nullptr) {
    operation->error_ = unusable;
  } else {
    Batch(slot, pool_).run_alone(*operation);
  }
  slot.interrupter->disarm();
  const bool ends = mode == run_mode::commit || mode == run_mode::rollback;
  if (!spans || ends) clean(slot);
  std::unique_lock lock(mutex_);
  slot.current.store(nullptr, std::memory_order_relaxed);
  if (paused_) freed_.notify_one();
  count_batch(slot);
  conclude(*operation);
  if (slot.dropped || ends) free(slot, lock);
  if (lock.owns_lock()) lock.unlock();
  log_slow(*operation);
  operation->resume();
}

void Lane::give_back(Slot& slot, std::uint64_t ticket) noexcept {
  if (pool_.forked()) return;
  std::unique_lock lock(mutex_);
  if (slot.status != Slot::state::leased || slot.ticket != ticket) return;  // taken back by shutdown
  if (slot.current.load(std::memory_order_relaxed) != nullptr) {
    slot.dropped = true;
  } else {
    free(slot, lock);
  }
}

/// Nobody uses the slot any more: parks it, gives it to the next in the queue, or lets it idle. Unlocks.
void Lane::free(Slot& slot, std::unique_lock<std::mutex>& lock) {
  ++slot.ticket;
  slot.dropped = false;
  if (closed_ != nullptr) {
    slot.status = Slot::state::parked;
    lock.unlock();
    return pool_.lane_parked();
  }
  const bool dirty = slot.connection != nullptr && slot.connection->session().in_transaction();
  const bool owes =
      role_ == connection_role::writer && slot.connection != nullptr && pool_.wal_is_due(slot.connection->session());
  if (!dirty && !owes && (paused_ || (queue_.empty() && !reclaim(slot)))) {
    slot.status = Slot::state::idle;
    idle_.push_back(&slot);
    if (paused_) freed_.notify_one();
  } else if (!dirty && !owes && slot.connection != nullptr && queue_.front().request_.mode == run_mode::acquire) {
    Operation& operation = queue_.front();
    queue_.pop_front();
    return hand_over(slot, operation, lock);
  } else {
    schedule(slot);
  }
  lock.unlock();
}

}  // namespace statehouse::detail
