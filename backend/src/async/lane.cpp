#include "async/lane.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "async/pool_core.hpp"
#include "core/deadline.hpp"

namespace statehouse::detail {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// Operations one turn on a database thread runs before it lets other databases have the thread.
constexpr std::size_t turn = 256;
/// More would not make a read cheaper, but those that are done wait for the last of them.
constexpr std::size_t reads_per_batch = 16;

constexpr const char* would_deadlock_text =
    "called inside a closure of this pool: use the connection the closure was given";

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
  } else if ((idle_.empty() || paused_) && queue_.size() >= config.options.max_waiting) {
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
      deadline(operation.submitted_, operation.request_.options.timeout.value_or(config.options.acquire_timeout));
  if (!admit(operation)) {
    lock.unlock();
    return refuse(operation, operation.error_);
  }
  Slot* const slot = take_idle();
  if (slot != nullptr && slot->connection != nullptr && operation.request_.mode == run_mode::acquire)
    return hand_over(*slot, operation, lock);
  operation.state_ = Operation::state::queued;
  queue_.push_back(operation);
  arm_timer(operation.wait_until_);
  if (slot != nullptr) schedule(*slot);
}

/// An idle connection for the calling thread, as if it were a database thread.
Slot* Lane::borrow(Operation& operation) {
  std::lock_guard lock(mutex_);
  const bool refused = closed_ != nullptr || operation.request_.caller == &pool_ || slow_.contains(operation) ||
                       heavy_.contains(operation);
  Slot* const slot = refused || !queue_.empty() ? nullptr : take_idle();
  if (slot == nullptr) return nullptr;
  slot->status = Slot::state::running;
  slot->reported = false;
  slot->claims.clear();
  operation.lane_ = this;
  operation.slot_ = slot;
  operation.state_ = Operation::state::claimed;
  operation.submitted_ = pool_.config().clock->now();
  return slot;
}

bool Lane::run_inline(Operation& operation) {
  Slot* const slot = borrow(operation);
  if (slot == nullptr) return false;
  bool done = false;
  bool heavy = false;
  if (slot->connection != nullptr && slot->connection->session().has_prepared(operation.sql())) {
    Session& session = slot->connection->session();
    session.set_brief(true);
    Batch(*slot, pool_).run_alone(operation);
    session.set_brief(false);
    slot->interrupter->disarm();
    done = !session.gave_up();
    heavy = !done;
    clean(*slot);
  }
  std::unique_lock lock(mutex_);
  slot->current.store(nullptr, std::memory_order_relaxed);
  if (done) {
    conclude(operation);
  } else {
    operation.state_ = Operation::state::idle;
    operation.slot_ = nullptr;
    operation.error_ = nullptr;
    if (heavy) heavy_.note(operation, Clock::duration::max());
  }
  free(*slot, lock);
  if (done) log_slow(operation);
  return done;
}

Slot* Lane::take_idle() noexcept {
  if (idle_.empty() || paused_) return nullptr;
  Slot* const slot = idle_.front();
  idle_.pop_front();
  return slot;
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
  for (std::size_t ran = 0; ran < turn; ran += slot.claims.size()) {
    if (!claim(slot)) return;
    Batch batch(slot, pool_);
    batch.run();
    if (!finish(slot, batch.done())) return;
  }
  std::unique_lock lock(mutex_);
  closed_ != nullptr ? free(slot, lock) : schedule(slot);
}

/// Takes from the queue what the slot that this thread has is to run next; false when the thread has no more business
/// with the slot.
bool Lane::claim(Slot& slot) {
  const std::exception_ptr unusable = make_ready(slot);
  std::unique_lock lock(mutex_);
  if (closed_ != nullptr || paused_ || queue_.empty()) {
    free(slot, lock);
    return false;
  }
  Operation& first = queue_.front();
  if (unusable != nullptr) {
    queue_.pop_front();
    first.state_ = Operation::state::done;
    schedule(slot);
    lock.unlock();
    refuse(first, unusable);
    return false;
  }
  if (first.request_.mode == run_mode::acquire) {
    queue_.pop_front();
    hand_over(slot, first, lock);
    return false;
  }
  slot.reported = false;
  slot.claims.clear();
  for (std::size_t left = share(first); left > 0 && !queue_.empty(); --left) {
    Operation& operation = queue_.front();
    const bool joins = operation.request_.may_share() && operation.request_.role == first.request_.role;
    if (&operation != &first && (!joins || slow_.contains(operation))) break;
    queue_.pop_front();
    operation.state_ = Operation::state::claimed;
    operation.slot_ = &slot;
    operation.claim_ = slot.claims.add(operation);
  }
  return true;
}

/// How many operations, beginning with the first in the queue, one connection may claim: readers leave the others their
/// part, and take no more than the callers' thread can use meanwhile.
std::size_t Lane::share(const Operation& first) const {
  if (!first.request_.may_share() || slow_.contains(first)) return 1;
  const auto usable = static_cast<std::size_t>(std::ranges::count_if(
      slots_, [](const Slot& slot) { return slot.status != Slot::state::leased; }));
  const std::size_t most = role_ == connection_role::reader ? reads_per_batch : Claims::capacity;
  return std::min(most, (queue_.size() + usable - 1) / usable);
}

/// The connection as the next user expects it, opened anew if need be; an error when that fails. Those whose work made a
/// checkpoint due have heard of it by now.
std::exception_ptr Lane::make_ready(Slot& slot) noexcept {
  clean(slot);
  try {
    if (slot.connection == nullptr) slot.connection = open_(slot.interrupter);
    if (role_ == connection_role::writer) pool_.keep_wal(slot.connection->session());
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

/// After a batch: false when the thread has no more business with the slot.
bool Lane::finish(Slot& slot, OperationList& done) {
  // Only an operation that is alone can be a `begin`.
  const bool keeps =
      !done.empty() && done.front().request_.mode == run_mode::begin && done.front().error_ == nullptr;
  // Before the callers hear of the outcome, nothing of their work may be left on the connection.
  if (!keeps) clean(slot);
  std::unique_lock lock(mutex_);
  slot.current.store(nullptr, std::memory_order_relaxed);
  unclaim(slot);
  for (Operation& operation : done) conclude(operation);
  if (keeps && closed_ != nullptr) {
    done.front().error_ = closed_;
    free(slot, lock);
  } else if (keeps) {
    lease_to(slot, done.front());
  }
  if (lock.owns_lock()) lock.unlock();
  resume(done);
  return !keeps;
}

/// Puts what a batch had no time for back to the head of the queue.
void Lane::unclaim(Slot& slot) {
  bool any = false;
  for (std::size_t place = slot.claims.size(); place-- > 0;) {
    Operation* const operation = slot.claims.take(place);
    if (operation == nullptr) continue;
    operation->state_ = Operation::state::queued;
    operation->slot_ = nullptr;
    queue_.push_front(*operation);
    any = true;
  }
  if (!any || closed_ != nullptr) return;
  if (Slot* const other = take_idle()) schedule(*other);
}

/// The books of an operation that has run.
void Lane::conclude(Operation& operation) {
  operation.state_ = Operation::state::done;
  operation.slot_ = nullptr;
  ++stats_.completed;
  stats_.wait_time += operation.started_ - operation.submitted_;
  stats_.run_time += operation.ran_;
  if (operation.request_.may_share()) slow_.note(operation, operation.ran_);
  if (operation.error_ == nullptr) return;
  ++stats_.failed;
  note_error(operation);
}

void Lane::resume(OperationList& done) const {
  ResumeList list;
  while (!done.empty()) {
    Operation& operation = done.front();
    done.pop_front();
    log_slow(operation);
    list.add(operation);
  }
  list.post();
}

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
  lock.unlock();
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
  const bool owes = role_ == connection_role::writer && slot.connection != nullptr &&
                    pool_.wal_is_due(slot.connection->session());
  if (!dirty && !owes && (queue_.empty() || paused_)) {
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
  for (std::size_t waiting = queue_.size(); waiting > 0 && closed_ == nullptr; --waiting) {
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
      if (slot.status == Slot::state::idle || slot.status == Slot::state::scheduled)
        slot.status = Slot::state::parked;
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
