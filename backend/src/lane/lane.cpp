#include "lane/lane.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/deadline.hpp"
#include "pool/pool_core.hpp"

namespace statehouse::detail {
namespace {

/// Operations one turn on a database thread runs before it lets other databases have the thread.
constexpr std::size_t turn = 256;
/// More would not make a read cheaper, but those that are done wait for the last of them.
constexpr std::size_t reads_per_batch = 16;

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
    operation.error_ = std::make_exception_ptr(Error(errc::would_deadlock, would_deadlock_text, {config.name, {}}));
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
    count_batch(*slot);
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

/// Under the mutex, which `drain` takes first: who hears of the operation's end may destroy the database threads, and
/// by then the post must be over.
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
  if (closed_ != nullptr || paused_ || (queue_.empty() && !reclaim(slot))) {
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
  const auto usable = static_cast<std::size_t>(
      std::ranges::count_if(slots_, [](const Slot& slot) { return slot.status != Slot::state::leased; }));
  const std::size_t most = role_ == connection_role::reader ? reads_per_batch : Claims::capacity;
  return std::min(most, (queue_.size() + usable - 1) / usable);
}

/// The connection as the next user expects it, opened anew if need be; an error when that fails. Those whose work made
/// a checkpoint due have heard of it by now.
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
  const bool keeps = !done.empty() && done.front().request_.mode == run_mode::begin && done.front().error_ == nullptr;
  // Before the callers hear of the outcome, nothing of their work may be left on the connection.
  if (!keeps) clean(slot);
  std::unique_lock lock(mutex_);
  slot.current.store(nullptr, std::memory_order_relaxed);
  unclaim(slot, slot.claims.left());  // this thread goes on with the queue; no other one idles while there is something
  if (!done.empty()) count_batch(slot);
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

/// Puts the last `count` of what a slot has claimed and not begun back to the head of the queue. True if there were
/// any.
bool Lane::unclaim(Slot& slot, std::size_t count) {
  bool any = false;
  for (std::size_t place = slot.claims.size(); place-- > 0 && count > 0;) {
    Operation* const operation = slot.claims.take(place);
    if (operation == nullptr) continue;
    operation->state_ = Operation::state::queued;
    operation->slot_ = nullptr;
    queue_.push_front(*operation);
    --count;
    any = true;
  }
  return any;
}

/// For a slot that would idle: puts half of what another one has claimed and not begun back into the queue. Who is
/// behind a slow statement gets away from it that way. A slot whose connection cannot be opened takes nothing from
/// those that work. And what is about to begin is left where it is: two slots could take it from each other for ever.
bool Lane::reclaim(const Slot& taker) {
  if (taker.connection == nullptr) return false;
  return std::ranges::any_of(slots_, [&](Slot& slot) {
    const std::size_t left = slot.claims.left();
    const bool begun = left < slot.claims.size();
    return unclaim(slot, (left + (begun ? 1 : 0)) / 2);
  });
}

/// How many operations have not begun.
std::size_t Lane::waiting() const noexcept {
  std::size_t number = queue_.size();
  for (const Slot& slot : slots_) number += slot.claims.left();
  return number;
}

void Lane::count_batch(Slot& slot) {
  ++stats_.batches;
  if (slot.connection != nullptr) stats_.compiled += slot.connection->session().take_compiled();
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

}  // namespace statehouse::detail
