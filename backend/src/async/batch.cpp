#include "async/batch.hpp"

#include "async/pool_core.hpp"
#include "core/deadline.hpp"

namespace statehouse::detail {
namespace {

/// After that long a batch takes no further operation, so that one slow statement does not hold up what comes later.
constexpr auto time_limit = std::chrono::milliseconds(2);

/// Errors that a statement may get only because it is inside of a transaction, as VACUUM does.
bool may_depend_on_transaction(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    if (known.code().category() != sqlite_category()) return false;
    const int primary = known.code().value() & 0xff;
    return primary == SQLITE_ERROR || primary == SQLITE_LOCKED;
  } catch (...) {
    return false;
  }
}

}  // namespace

Batch::Batch(Slot& slot, const PoolCore& pool) : slot_(slot), pool_(pool), now_(pool.config().clock->now()) {}

void Batch::run() {
  const auto end = now_ + time_limit;
  const std::size_t size = slot_.claims.size();
  for (std::size_t place = 0; place < size && (place == 0 || now_ < end); ++place)
    if (Operation* const operation = slot_.claims.take(place)) run(*operation, place + 1 < size);
  if (sharing_) commit();
  slot_.interrupter->disarm();
}

void Batch::run_alone(Operation& operation) {
  enter(operation);
  operation.execute(*slot_.connection, pool_);
  leave(operation);
}

void Batch::run(Operation& operation, bool others_follow) {
  const bool opens = !sharing_ && !lost_ && others_follow;
  if (opens && !begin(operation)) return done_.push_back(operation);
  if (!sharing_) {
    run_alone(operation);
    return done_.push_back(operation);
  }
  if (!opens) enter(operation);
  operation.execute(*slot_.connection, pool_, true);
  leave(operation);
  session().settle();
  settle(operation);
}

/// On behalf of the operation: it waits for another process's lock, and is the one that fails when there is none.
bool Batch::begin(Operation& operation) {
  enter(operation);
  try {
    session().begin(operation.request_.role == connection_role::reader ? transaction_kind::deferred
                                                                       : transaction_kind::immediate);
    return sharing_ = true;
  } catch (...) {
    operation.error_ = std::current_exception();
  }
  leave(operation);
  return false;
}

/// Decides whether what the operation came to inside the shared transaction is what it would have come to alone.
void Batch::settle(Operation& operation) {
  if (operation.request_.role == connection_role::reader) {
    if (!session().in_transaction()) repeat_open();
    return done_.push_back(operation);
  }
  const bool failed = operation.error_ != nullptr;
  if (!session().in_transaction()) {
    // An interrupt, a full disk or OR ROLLBACK has taken back everybody's work.
    repeat_open();
    if (!failed) run_alone(operation);
    done_.push_back(operation);
  } else if (!failed && session().has_deferred_violation()) {
    // Alone, its own commit would have refused it; here a later operation might make it good.
    session().rollback();
    repeat_open();
    run_alone(operation);
    done_.push_back(operation);
  } else if (failed && may_depend_on_transaction(operation.error_)) {
    commit();
    run_alone(operation);
    done_.push_back(operation);
  } else {
    open_.push_back(operation);
  }
}

void Batch::commit() {
  sharing_ = false;
  try {
    session().commit();
  } catch (const std::exception&) {
    return repeat_open();  // each is told by its own commit why
  }
  keep_open();
}

void Batch::keep_open() { done_.splice(done_.end(), open_); }

void Batch::repeat_open() {
  sharing_ = false;
  lost_ = true;
  session().rollback();  // it is gone; the session still expects it
  for (Operation& operation : open_)
    if (operation.error_ == nullptr) run_alone(operation);
  keep_open();
}

void Batch::enter(Operation& operation) {
  operation.started_ = now_;
  slot_.since.store(now_, std::memory_order_relaxed);
  slot_.current.store(&operation, std::memory_order_release);
  const auto limit = operation.request_.options.run_timeout.value_or(pool_.config().options.run_timeout);
  slot_.interrupter->arm(deadline(now_, limit), &operation);
}

void Batch::leave(Operation& operation) {
  now_ = pool_.config().clock->now();
  operation.ran_ = now_ - operation.started_;
}

}  // namespace statehouse::detail
