#include "lane/batch.hpp"

#include "base/deadline.hpp"
#include "pool/pool_core.hpp"

namespace statehouse::detail {
namespace {

/// After that long a batch takes no further operation, so that one slow statement does not hold up what comes later.
constexpr auto time_limit = std::chrono::milliseconds(2);

boost::system::error_code code_of(const std::exception_ptr& error) {
  try {
    if (error != nullptr) std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.code();
  } catch (...) {  // the user's own
  }
  return {};
}

/// Errors that a statement may get only because it is inside of a transaction, as VACUUM does, or because others have
/// taken what it needs in there.
bool may_depend_on_transaction(const boost::system::error_code& error) {
  if (error.category() != sqlite_category()) return false;
  const int primary = error.value() & 0xff;
  return primary == SQLITE_ERROR || primary == SQLITE_LOCKED || primary == SQLITE_FULL || primary == SQLITE_NOMEM;
}

bool was_stopped(const boost::system::error_code& error) {
  return error == errc::deadline_exceeded || error == errc::closed || error == boost::system::errc::operation_canceled;
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
  enter(operation);
  // Where another process has the lock, the operation waits for it in its own way, if it needs one at all.
  if (!sharing_ && !lost_ && others_follow)
    sharing_ = session().try_begin(operation.request_.role == connection_role::reader ? transaction_kind::deferred
                                                                                      : transaction_kind::immediate);
  operation.execute(*slot_.connection, pool_, sharing_);
  leave(operation);
  sharing_ ? settle(operation) : done_.push_back(operation);
}

/// Decides whether what the operation came to inside the shared transaction is what it would have come to alone.
void Batch::settle(Operation& operation) {
  const Request& request = operation.request_;
  if (!session().in_transaction() || session().has_deferred_violation()) {
    // An interrupt, a full disk or OR ROLLBACK has taken back everybody's work. Or a foreign key is violated, which the
    // operation's own commit would have refused, while here a later one might make it good.
    open_.push_back(operation);
    repeat_open();
  } else if (request.role == connection_role::reader) {
    done_.push_back(operation);
  } else if (request.mode == run_mode::statement && may_depend_on_transaction(code_of(operation.error_))) {
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

void Batch::keep_open() {
  done_.splice(done_.end(), open_);
}

void Batch::repeat_open() {
  sharing_ = false;
  lost_ = true;
  session().rollback();  // even if SQLite has done so: the session still expects a transaction
  for (Operation& operation : open_)
    if (!was_stopped(code_of(operation.error_))) run_alone(operation);
  keep_open();
}

void Batch::enter(Operation& operation) {
  operation.started_ = now_;
  slot_.since.store(now_, std::memory_order_relaxed);
  slot_.current.store(&operation, std::memory_order_release);
  const auto limit = operation.request_.options.run_timeout.value_or(pool_.config().options.run_timeout);
  slot_.interrupter->arm(deadline(now_, limit), &operation);
  if (operation.cancelled_.load(std::memory_order_relaxed))
    slot_.interrupter->request(stop_reason::cancelled, &operation);
}

void Batch::leave(Operation& operation) {
  session().settle();
  now_ = pool_.config().clock->now();
  operation.ran_ = now_ - operation.started_;
}

}  // namespace statehouse::detail
