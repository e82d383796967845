#include "statehouse/detail/operation.hpp"

#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "lane/lane.hpp"

namespace statehouse::detail {
namespace {

thread_local const void* current_pool = nullptr;

transaction_kind kind_for(connection_role role) noexcept {
  return role == connection_role::reader ? transaction_kind::deferred : transaction_kind::immediate;
}

}  // namespace

const void* running_pool() noexcept {
  return current_pool;
}

void LeaseHandle::reset() noexcept {
  if (const auto owner = std::move(ref_.keep_alive)) ref_.lane->give_back(*ref_.slot, ref_.ticket);
}

void Operation::on_cancel(asio::cancellation_type type) noexcept {
  if (lane != nullptr && type != asio::cancellation_type::none) lane->cancel(*this, type);
}

void Operation::abandon() noexcept {
  lane->abandon(*this);
}

void Operation::execute(Connection& connection, const void* pool, open_transaction around) noexcept {
  const void* const outer = std::exchange(current_pool, pool);  // one that resumes callers in its closure
  error_ = nullptr;
  try {
    session_of(connection).rules().read_only = request_.role == connection_role::reader;
    switch (around) {
      case open_transaction::none: run_in_bracket(connection); break;
      case open_transaction::shared: run_shared(connection); break;
      case open_transaction::leased: run_leased(connection); break;
    }
  } catch (...) {
    error_ = std::current_exception();
  }
  current_pool = outer;
}

/// What is to be undone when it throws, with what a user has written by `native()`: he is done with it before.
void Operation::run_undoably(Connection& connection) {
  try {
    run(connection);
  } catch (...) {
    session_of(connection).take_back();
    throw;
  }
}

void Operation::run_in_bracket(Connection& connection) {
  Session& session = session_of(connection);
  switch (request_.kind.around) {
    case bracket::none: return run(connection);
    case bracket::transaction: {
      if (request_.kind.keeps_connection) {
        session.begin(kind_for(request_.role));
        return run(connection);
      }
      TransactionScope transaction(session, kind_for(request_.role));
      run_undoably(connection);
      return transaction.commit();
    }
    case bracket::maintenance: {
      const MaintenanceScope maintenance(session);
      return run(connection);
    }
  }
}

void Operation::run_shared(Connection& connection) {
  if (request_.kind.around == bracket::none) return run(connection);
  Session& session = session_of(connection);
  SavepointScope savepoint(session);
  run_undoably(connection);
  // As COMMIT: the closure is done, and what is done in time or not is kept.
  const Interrupter::Shield shield(session.interrupter());
  savepoint.release();
}

void Operation::run_leased(Connection& connection) {
  if (request_.kind.keeps_connection) require_transaction(session_of(connection));
  run(connection);
}

void submit(const LeaseRef& lease, Operation& operation) {
  if (!lease.held()) {
    operation.refuse(LaneMessages::no_lease(operation, lease));
  } else {
    lease.lane->submit_on_lease(lease, operation);
  }
}

}  // namespace statehouse::detail
