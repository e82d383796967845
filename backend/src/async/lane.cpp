#include "async/lane.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "async/pool_core.hpp"

namespace statehouse::detail {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// Operations one turn on a database thread runs before it lets other databases have the thread.
constexpr int turn = 64;

constexpr const char* would_deadlock_text =
    "called inside a closure of this pool: use the connection the closure was given";

/// No limit for zero, nor for one that the clock cannot count.
Clock::time_point after(Clock::time_point now, milliseconds limit) {
  const bool limited = limit.count() > 0 && limit < duration_cast<milliseconds>(Clock::time_point::max() - now);
  return limited ? now + limit : Clock::time_point::max();
}

std::exception_ptr aborted(const PoolConfig& config) {
  const boost::system::error_code code(ECANCELED, boost::system::system_category());
  return std::make_exception_ptr(Error(code, "cancelled while waiting for a connection", {config.name, {}}));
}

}  // namespace

Lane::Lane(PoolCore& pool, connection_role role, Open open) : pool_(pool), role_(role), open_(std::move(open)) {}

void Lane::add(std::unique_ptr<Connection> connection, std::shared_ptr<Interrupter> interrupter) {
  Slot& slot = slots_.emplace_back(std::move(interrupter));
  slot.connection = std::move(connection);
  idle_.push_back(&slot);
}

void Lane::refuse(Operation& operation, std::exception_ptr error) noexcept {
  // Not its state: that is the mutex's, and was set, or never left idle, before this.
  operation.error_ = std::move(error);
  operation.resume();
}

bool Lane::admit(Operation& operation) {
  const PoolConfig& config = pool_.config();
  if (operation.request_.caller == &pool_) {
    operation.error_ = std::make_exception_ptr(
        Error(errc::would_deadlock, would_deadlock_text, {config.name, {}}));
  } else if (closed_ != nullptr) {
    operation.error_ = closed_;
  } else if (idle_.empty() && queue_.size() >= config.options.max_waiting) {
    ++stats_.rejected;
    operation.error_ = queue_full_error();
  }
  return operation.error_ == nullptr;
}

void Lane::submit(Operation& operation) {
  const PoolConfig& config = pool_.config();
  std::unique_lock lock(mutex_);
  operation.lane_ = this;
  operation.submitted_ = config.clock->now();
  operation.wait_until_ =
      after(operation.submitted_, operation.request_.options.timeout.value_or(config.options.acquire_timeout));
  if (!admit(operation)) {
    lock.unlock();
    return refuse(operation, operation.error_);
  }
  Slot* const slot = idle_.empty() ? nullptr : idle_.front();
  if (slot != nullptr) idle_.pop_front();
  if (slot != nullptr && slot->connection != nullptr && operation.request_.mode == run_mode::acquire)
    return hand_over(*slot, operation, lock);
  operation.state_ = Operation::state::queued;
  queue_.push_back(operation);
  arm_timer(operation.wait_until_);
  if (slot != nullptr) schedule(*slot);
}

void Lane::schedule(Slot& slot) {
  slot.status = Slot::state::scheduled;
  asio::post(pool_.config().executor, [this, pool = pool_.shared_from_this(), &slot] { drain(slot); });
}

void Lane::drain(Slot& slot) {
  {
    std::lock_guard lock(mutex_);
    if (slot.status != Slot::state::scheduled) return;  // parked meanwhile
    slot.status = Slot::state::running;
  }
  for (int done = 0; done < turn; ++done) {
    Operation* const operation = next(slot);
    if (operation == nullptr) return;
    operation->execute(*slot.connection, pool_);
    const bool leaves = operation->request_.mode == run_mode::begin && operation->error_ == nullptr;
    finish(slot, *operation);
    if (leaves) return;
  }
  std::unique_lock lock(mutex_);
  closed_ != nullptr ? free(slot, lock) : schedule(slot);
}

/// What to run next on the slot that this thread has, or null when it has no more business with it.
Operation* Lane::next(Slot& slot) {
  const std::exception_ptr unusable = make_ready(slot);
  std::unique_lock lock(mutex_);
  if (closed_ != nullptr || queue_.empty()) {
    free(slot, lock);
    return nullptr;
  }
  Operation& operation = queue_.front();
  queue_.pop_front();
  if (unusable != nullptr) {
    operation.state_ = Operation::state::done;
    schedule(slot);
    lock.unlock();
    refuse(operation, unusable);
    return nullptr;
  }
  if (operation.request_.mode == run_mode::acquire) {
    hand_over(slot, operation, lock);
    return nullptr;
  }
  begin_run(slot, operation);
  return &operation;
}

/// The connection as the next user expects it, opened anew if need be; an error when that fails.
std::exception_ptr Lane::make_ready(Slot& slot) noexcept {
  clean(slot);
  if (slot.connection != nullptr) return nullptr;
  try {
    slot.connection = open_(slot.interrupter);
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

void Lane::clean(Slot& slot) noexcept {
  if (slot.connection == nullptr) return;
  const hygiene result = slot.connection->session().clean();
  if (result == hygiene::clean) return;
  if (result == hygiene::broken) slot.connection.reset();
  std::lock_guard lock(mutex_);
  ++(result == hygiene::broken ? stats_.replaced : stats_.rolled_back);
}

void Lane::begin_run(Slot& slot, Operation& operation) {
  const auto now = pool_.config().clock->now();
  operation.state_ = Operation::state::running;
  operation.slot_ = &slot;
  operation.started_ = now;
  slot.current = &operation;
  if (slot.status != Slot::state::leased) {
    slot.verb = operation.request_.verb;
    slot.where = operation.request_.where;
    slot.since = now;
    slot.reported = false;
  }
  slot.interrupter->arm(
      after(now, operation.request_.options.run_timeout.value_or(pool_.config().options.run_timeout)));
}

Clock::duration Lane::end_run(Slot& slot, Operation& operation) {
  const Clock::duration ran = pool_.config().clock->now() - operation.started_;
  slot.interrupter->disarm();
  slot.current = nullptr;
  operation.state_ = Operation::state::done;
  operation.slot_ = nullptr;
  ++stats_.completed;
  stats_.wait_time += operation.started_ - operation.submitted_;
  stats_.run_time += ran;
  if (operation.error_ != nullptr) {
    ++stats_.failed;
    note_error(operation);
  }
  return ran;
}

void Lane::finish(Slot& slot, Operation& operation) {
  const bool keeps = operation.request_.mode == run_mode::begin && operation.error_ == nullptr;
  // Before the caller hears of the outcome, nothing of its work may be left on the connection.
  if (!keeps) clean(slot);
  std::unique_lock lock(mutex_);
  const auto ran = end_run(slot, operation);
  const bool parks = keeps && closed_ != nullptr;
  if (parks) {
    operation.error_ = closed_;
    free(slot, lock);
  } else if (keeps) {
    lease_to(slot, operation);
  }
  if (lock.owns_lock()) lock.unlock();
  log_slow(operation, ran);
  operation.resume();
}

void Lane::lease_to(Slot& slot, Operation& operation) {
  slot.status = Slot::state::leased;
  slot.dropped = false;
  slot.reported = false;
  slot.verb = operation.request_.verb;
  slot.where = operation.request_.where;
  slot.since = pool_.config().clock->now();
  operation.state_ = Operation::state::done;
  // If the caller never runs its completion, the handle in the operation gives the connection back.
  operation.lease_ = LeaseHandle({pool_.shared_from_this(), this, &slot, ++slot.ticket});
}

/// To an operation that wants nothing but the connection. Unlocks.
void Lane::hand_over(Slot& slot, Operation& operation, std::unique_lock<std::mutex>& lock) {
  lease_to(slot, operation);
  operation.started_ = slot.since;
  ++stats_.completed;
  stats_.wait_time += operation.started_ - operation.submitted_;
  lock.unlock();
  log_slow(operation, {});
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
  if (slot.current != nullptr) {
    lock.unlock();
    return fail(errc::operation_in_progress, "the transaction or lease already runs a statement: await it first");
  }
  operation.state_ = Operation::state::queued;
  operation.slot_ = &slot;
  slot.current = &operation;
  lock.unlock();
  asio::post(pool_.config().executor, [this, pool = pool_.shared_from_this(), &slot] { run_leased(slot); });
}

void Lane::run_leased(Slot& slot) {
  Operation* operation = nullptr;
  {
    std::lock_guard lock(mutex_);
    operation = slot.status == Slot::state::leased ? slot.current : nullptr;
    // Cancelled or taken back meanwhile; or a later one that another thread has begun already.
    if (operation == nullptr || operation->state_ != Operation::state::queued) return;
    begin_run(slot, *operation);
  }
  const run_mode mode = operation->request_.mode;
  const bool spans = mode == run_mode::in_transaction || mode == run_mode::commit || mode == run_mode::rollback;
  if (const auto unusable = spans ? nullptr : make_ready(slot); unusable != nullptr) {
    operation->error_ = unusable;
  } else {
    operation->execute(*slot.connection, pool_);
  }
  const bool ends = mode == run_mode::commit || mode == run_mode::rollback;
  if (!spans || ends) clean(slot);
  std::unique_lock lock(mutex_);
  const auto ran = end_run(slot, *operation);
  if (slot.dropped || ends) free(slot, lock);
  if (lock.owns_lock()) lock.unlock();
  log_slow(*operation, ran);
  operation->resume();
}

void Lane::give_back(Slot& slot, std::uint64_t ticket) noexcept {
  if (pool_.forked()) return;
  std::unique_lock lock(mutex_);
  if (slot.status != Slot::state::leased || slot.ticket != ticket) return;  // taken back by shutdown
  if (slot.current != nullptr) {
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
  if (!dirty && queue_.empty()) {
    slot.status = Slot::state::idle;
    idle_.push_back(&slot);
  } else if (!dirty && slot.connection != nullptr && queue_.front().request_.mode == run_mode::acquire) {
    Operation& operation = queue_.front();
    queue_.pop_front();
    return hand_over(slot, operation, lock);
  } else {
    schedule(slot);
  }
  lock.unlock();
}

void Lane::cancel(Operation& operation, asio::cancellation_type type) noexcept {
  std::unique_lock lock(mutex_);
  if (operation.state_ == Operation::state::running) {
    if ((type & asio::cancellation_type::terminal) != asio::cancellation_type::none)
      operation.slot_->interrupter->request(stop_reason::cancelled);
    return;
  }
  if (operation.state_ != Operation::state::queued) return;
  if (operation.slot_ != nullptr) {
    operation.slot_->current = nullptr;
    if (operation.slot_->dropped) {
      free(*operation.slot_, lock);
      lock.lock();
    }
  } else {
    queue_.erase(Queue::s_iterator_to(operation));
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
  Queue expired;
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
      operation.state_ = Operation::state::done;
      ++stats_.acquire_timeouts;
      queue_.erase(Queue::s_iterator_to(operation));
      expired.push_back(operation);
    }
    armed_ = Clock::time_point::max();
    if (earliest != Clock::time_point::max()) arm_timer(earliest);
  }
  while (!expired.empty()) {
    Operation& operation = expired.front();
    expired.pop_front();
    operation.resume();
  }
}

void Lane::close(std::exception_ptr error) {
  Queue refused;
  {
    std::lock_guard lock(mutex_);
    if (closed_ != nullptr) return;
    closed_ = error;
    refused.swap(queue_);
    for (Operation& operation : refused) operation.state_ = Operation::state::done;
    for (Slot& slot : slots_)
      if (slot.status == Slot::state::idle || slot.status == Slot::state::scheduled)
        slot.status = Slot::state::parked;
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
      const bool running = slot.current != nullptr && slot.current->state_ == Operation::state::running;
      if (running || slot.status == Slot::state::running) slot.interrupter->request(stop_reason::shutdown);
      if (slot.status != Slot::state::leased) continue;
      slot.dropped = running;
      if (running) continue;
      if (slot.current != nullptr) {
        slot.current->state_ = Operation::state::done;
        refused.push_back(std::exchange(slot.current, nullptr));
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
    slot.connection->session().clean();
    if (role_ == connection_role::writer && pool_.file_in_place()) slot.connection->session().prepare_close();
    slot.connection.reset();
  }
}

}  // namespace statehouse::detail
