#include "lane/lane.hpp"

#include <algorithm>

#include "base/deadline.hpp"
#include "lane/batch.hpp"

namespace statehouse::detail {
namespace {

/// Operations one turn on a database thread runs before it lets other databases have the thread.
constexpr std::size_t operations_per_turn = 256;
/// More would not make a read cheaper, but those that are done wait for the last of them.
constexpr std::size_t reads_per_batch = 16;
constexpr std::size_t writes_per_batch = 256;

/// One connection's part of what waits and no batch is to take yet: with more in one batch the threads that resume the
/// callers have nothing to do meanwhile, and this one nothing while they do (8 reads in flight on 2 readers: a fifth
/// less throughput).
std::size_t part_of(std::size_t waiting, const SlotSet& slots) {
  std::size_t usable = 0;
  std::size_t planned = 0;
  for (const Slot& slot : slots) {
    if (!slot.leased()) ++usable;
    planned += slot.planned;
  }
  return waiting <= planned ? 1 : (waiting - planned + usable - 1) / usable;
}

bool next_joins(OperationQueue& queue, const History& history, const BatchTerms& terms) {
  return queue.ready() && terms.admit(queue.front()) && !history.is_slow(queue.front());
}

}  // namespace

Lane::Lane(const LaneContext& context, connection_role role, std::size_t most, Open open)
    : context_(context),
      role_(role),
      open_(std::move(open)),
      before_next_(role == connection_role::writer ? &context.before_next : nullptr),
      before_close_(role == connection_role::writer ? &context.before_close : nullptr),
      messages_(context, role),
      slots_(context, most, [this] { granted(); }),
      queue_(context.options->max_waiting),
      history_(*context.options),
      timer_(context, [this] { expire(); }) {}

void Lane::add(std::unique_ptr<Connection> connection, std::shared_ptr<Interrupter> interrupter) {
  std::lock_guard lock(mutex_);
  slots_.add(std::move(connection), std::move(interrupter));
  if (queue_.closed() != nullptr) slots_.park_unused();
}

void Lane::submit(Operation& operation) {
  if (context_.forked()) return operation.refuse(messages_.forked());
  messages_.began(operation);
  const Request& request = operation.request();
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    operation.lane = this;
    operation.submitted = context_.clock->now();
    operation.wait_until =
        deadline(operation.submitted, request.options.timeout.value_or(context_.options->acquire_timeout));
    const bool waits = !queue_.begins() || !slots_.any_idle();  // or as soon as it asks for a connection
    const auto refuse = [&](std::exception_ptr error) {
      operation.fail(std::move(error));
      after.ended.push_back(operation);
    };
    if (request.caller != nullptr && request.caller == context_.pool()) {
      refuse(messages_.would_deadlock());
    } else if (queue_.closed() != nullptr) {
      refuse(queue_.closed());
    } else if (waits && queue_.full()) {
      ++history_.rejected;
      refuse(messages_.queue_full(queue_.size()));
    } else {
      Slot* const slot = waits ? nullptr : slots_.take_idle();
      if (slot != nullptr && slot->connection != nullptr && request.wants_only_connection()) {
        slot->lease_to(operation, *this, context_.owner.lock(), operation.submitted);
        history_.add_lease(operation, operation.submitted);
        after.ended.push_back(operation);
      } else {
        queue_.push(operation);
        timer_.arm(operation.wait_until);
        if (slot != nullptr) schedule(*slot);
        if (queue_.asleep() && context_.wake) context_.wake();
      }
    }
  }
  after.carry_out(context_, messages_);
}

bool Lane::run_inline(Operation& operation) {
  if (context_.forked()) return false;
  operation.lane = this;
  messages_.began(operation);
  operation.submitted = context_.clock->now();
  Slot* slot = nullptr;
  {
    std::lock_guard lock(mutex_);
    const bool waits = !queue_.begins() || !queue_.empty();
    const void* const caller = operation.request().caller;
    if (waits || (caller != nullptr && caller == context_.pool()) || history_.is_heavy(operation)) return false;
    slot = slots_.take_open();
    if (slot == nullptr) return false;
    slot->enter(Slot::state::running);
    slot->reported = false;
    operation.slot = slot;
    operation.status = Operation::progress::running;
  }
  const bool prepared = slot->session() != nullptr && slot->session()->has_prepared(operation.sql());
  const bool done = prepared && Batch(*slot, context_, open_).run_briefly(operation);
  if (prepared) slot->clean();
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    slot->end();
    if (done) {
      history_.add_batch(*slot);
      history_.add(operation);
    } else {
      operation.status = Operation::progress::idle;
      operation.slot = nullptr;
      operation.started = {};
      operation.ran = {};
      operation.fail(nullptr);
      if (prepared) history_.add_heavy(operation);
    }
    after = free(*slot);
  }
  after.carry_out(context_, messages_);
  if (done) messages_.ended(operation);
  return done;
}

void Lane::abandon(Operation& operation) const noexcept {
  operation.fail(messages_.cancelled());
  messages_.ended(operation);
}

/// Has a database thread come: to what waits on the slot's lease, or else to the queue. The threads are there as long
/// as a lane is not closed.
void Lane::schedule(Slot& slot) {
  if (!slot.is(Slot::state::leased_waiting)) slot.enter(Slot::state::scheduled);
  context_.executor.post([this, owner = context_.owner.lock(), &slot] { serve(slot); });
}

void Lane::schedule_idle() {
  for (std::size_t left = queue_.size(); left > 0; --left) {
    Slot* const slot = slots_.take_idle();
    if (slot == nullptr) return;
    schedule(*slot);
  }
}

void Lane::serve(Slot& slot) {
  Operation* leased = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (slot.is(Slot::state::leased_waiting)) {
      leased = &slot.run_on_lease();
      leased->started = context_.clock->now();
    } else if (slot.is(Slot::state::scheduled)) {
      slot.enter(Slot::state::running);
    } else {
      return;  // cancelled, taken back or parked meanwhile; or another thread was faster with a later operation
    }
  }
  if (leased != nullptr) return run_leased(slot, *leased);
  for (std::size_t ran = 0; ran < operations_per_turn;) {
    BatchTerms terms;
    const Taken first = take_first(slot, terms);
    if (first.operation == nullptr) return;
    Batch batch(slot, context_, open_);
    batch.run(first, terms.limit, [&] { return take_next(slot, terms); });
    ran += batch.done().size();
    if (!finish(slot, batch)) return;
  }
  const bool gives_way = wanted() && close_for_others(slot);
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    if (queue_.closed() != nullptr) {
      after = free(slot);
    } else if (gives_way) {
      slots_.put_idle(slot);
      schedule_idle();
      if (queue_.held()) freed_.notify_one();
    } else {
      schedule(slot);
    }
  }
  after.carry_out(context_, messages_);
}

/// What the slot that this thread has is to run next, and what may join it; nothing when the thread has no more
/// business with the slot.
Taken Lane::take_first(Slot& slot, BatchTerms& terms) {
  const std::exception_ptr unusable = slot.make_ready(open_, before_next_);
  Taken taken;
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    if (!queue_.ready() || (unusable == nullptr && queue_.front().request().wants_only_connection())) {
      after = free(slot);
    } else if (unusable == nullptr) {
      slot.reported = false;
      const Operation& front = queue_.front();
      terms = {.role = front.request().role, .last_number = queue_.last_number()};
      if (terms.admit(front) && !history_.is_slow(front))
        terms.limit = std::min(part_of(queue_.size(), slots_),
                               role_ == connection_role::reader ? reads_per_batch : writes_per_batch);
      slot.planned = terms.limit - 1;
      taken.operation = &queue_.take(slot);
      taken.more = next_joins(queue_, history_, terms);
    } else if (std::ranges::any_of(slots_, &Slot::comes_again)) {
      slots_.put_idle(slot);
    } else {
      Operation& operation = queue_.pop();
      operation.fail(unusable);
      history_.add_unopened(operation);
      after.ended.push_back(operation);
      schedule(slot);
    }
  }
  after.carry_out(context_, messages_);
  return taken;
}

Taken Lane::take_next(Slot& slot, const BatchTerms& terms) {
  std::lock_guard lock(mutex_);
  Taken taken;
  if (!next_joins(queue_, history_, terms)) return taken;
  --slot.planned;
  taken.operation = &queue_.take(slot);
  taken.more = next_joins(queue_, history_, terms);
  return taken;
}

/// After a batch: false when the thread has no more business with the slot.
bool Lane::finish(Slot& slot, Batch& batch) {
  OperationList& done = batch.done();
  // Only an operation that is alone can keep the connection.
  const bool keeps = !done.empty() && done.front().request().kind.keeps_connection && done.front().error() == nullptr;
  // Before the callers hear of the outcome, nothing of what they did may be left on the connection.
  if (!keeps) slot.clean();
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    slot.end();
    slot.planned = 0;
    if (!done.empty()) history_.add_batch(slot);
    for (Operation& operation : done) history_.add(operation);
    put_back(batch.left(), after);
    after.ended.splice(after.ended.begin(), done);
    if (keeps && queue_.closed() != nullptr) {
      after.ended.front().fail(queue_.closed());
      after.add(free(slot));
    } else if (keeps) {
      slot.lease_to(after.ended.front(), *this, context_.owner.lock(), context_.clock->now());
    }
  }
  after.carry_out(context_, messages_);
  return !keeps;
}

/// What a batch has taken and left waits again, where it was.
void Lane::put_back(OperationList& left, Afterwards& after) {
  if (left.empty()) return;
  while (!left.empty()) {
    Operation& operation = left.front();
    left.pop_front();
    operation.slot = nullptr;
    operation.status = Operation::progress::done;
    const bool cancelled = operation.cancelled.load(std::memory_order_relaxed);
    if (cancelled) ++history_.cancelled;
    if (cancelled || queue_.closed() != nullptr) {
      operation.fail(cancelled ? messages_.cancelled() : queue_.closed());
      after.ended.push_back(operation);
    } else {
      queue_.put_back(operation);
      timer_.arm(operation.wait_until);
    }
  }
  if (queue_.ready()) schedule_idle();
}

/// Nobody uses the slot any more: parks it, gives it to the next in the queue, or lets it idle.
Afterwards Lane::free(Slot& slot) {
  Afterwards after;
  if (queue_.closed() != nullptr) {
    slot.enter(Slot::state::parked);
    after.parked = true;
    return after;
  }
  const Session* const session = slot.session();
  const bool dirty = session != nullptr && (session->in_transaction() || session->changed());
  const bool due = role_ == connection_role::writer && session != nullptr && context_.due && context_.due(*session);
  if (!dirty && !due && !queue_.ready()) {
    slots_.put_idle(slot);
    after.wanted = wanted() && slot.is_open();
  } else if (!dirty && !due && session != nullptr && queue_.front().request().wants_only_connection()) {
    Operation& operation = queue_.pop();
    const auto now = context_.clock->now();
    slot.lease_to(operation, *this, context_.owner.lock(), now);
    history_.add_lease(operation, now);
    after.ended.push_back(operation);
    // Another that could not be opened may have left the queue to this one.
    if (Slot* const other = queue_.ready() ? slots_.take_idle() : nullptr; other != nullptr) schedule(*other);
  } else {
    schedule(slot);
  }
  if (queue_.held()) freed_.notify_one();
  return after;
}

}  // namespace statehouse::detail
