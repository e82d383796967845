#include "statehouse/detail/operation.hpp"

#include "lane/lane.hpp"
#include "pool/pool_core.hpp"

namespace statehouse::detail {

namespace {

thread_local const PoolCore* current_pool = nullptr;

/// Rolls back when work has left by an exception; the exception stays the first and only one.
class RollbackGuard {
 public:
  explicit RollbackGuard(Session& session) noexcept : session_(session) {}
  ~RollbackGuard() { session_.rollback(); }
  RollbackGuard(const RollbackGuard&) = delete;
  RollbackGuard& operator=(const RollbackGuard&) = delete;

 private:
  Session& session_;
};

/// Puts back what work with `permission::maintenance` may have changed, also when it has thrown.
class SettingsGuard {
 public:
  explicit SettingsGuard(Session& session) noexcept : session_(session) {}
  ~SettingsGuard() {
    session_.clean();
    session_.restore_settings();
  }
  SettingsGuard(const SettingsGuard&) = delete;
  SettingsGuard& operator=(const SettingsGuard&) = delete;

 private:
  Session& session_;
};

}  // namespace

const PoolCore* running_pool() noexcept {
  return current_pool;
}

void LeaseHandle::reset() noexcept {
  const LeaseRef ref = std::exchange(ref_, {});
  if (ref.core != nullptr) ref.lane->give_back(*ref.slot, ref.ticket);
}

void Operation::on_cancel(asio::cancellation_type type) noexcept {
  if (lane_ != nullptr && type != asio::cancellation_type::none) lane_->cancel(*this, type);
}

void Operation::execute(Connection& connection, const PoolCore& pool, bool shared) noexcept {
  const PoolCore* const outer = std::exchange(current_pool, &pool);  // one that resumes callers in its closure
  error_ = nullptr;
  try {
    connection.session().set_read_only(request_.role == connection_role::reader);
    shared ? run_shared(connection) : run_in_mode(connection);
  } catch (...) {
    error_ = std::current_exception();
  }
  current_pool = outer;
}

void Operation::run_shared(Connection& connection) {
  if (request_.mode == run_mode::statement) return run(connection);
  SavepointScope savepoint(connection.session());
  run(connection);
  // As COMMIT: the work is done, and what is done in time or not is kept.
  const Interrupter::Shield shield(connection.session().interrupter());
  savepoint.release();
}

void Operation::run_in_mode(Connection& connection) {
  Session& session = connection.session();
  switch (request_.mode) {
    case run_mode::statement:
    case run_mode::lone_statement: return run(connection);
    case run_mode::transaction: {
      session.begin(request_.role == connection_role::reader ? transaction_kind::deferred
                                                             : transaction_kind::immediate);
      const RollbackGuard guard(session);
      run(connection);
      return session.commit();
    }
    case run_mode::without_transaction: {
      const SettingsGuard guard(session);
      const Session::PermissionScope scope(session, permission::maintenance);
      return run(connection);
    }
    case run_mode::begin: return session.begin(transaction_kind::immediate);
    case run_mode::acquire: return;
    case run_mode::in_transaction: session.require_transaction(); return run(connection);
    case run_mode::commit: return session.commit();
    case run_mode::rollback:
      if (!session.rollback()) session.fail(SQLITE_ERROR, "ROLLBACK");
  }
}

bool run_inline(const std::shared_ptr<PoolCore>& core, Operation& operation) {
  const Request& request = operation.request();
  if (request.role != connection_role::reader || request.mode != run_mode::statement) return false;
  return request.options.inline_read.value_or(core->config().options.inline_reads) && core->run_inline(operation);
}

void submit(const std::shared_ptr<PoolCore>& core, Operation& operation) {
  core->submit(operation);
}

void submit(const LeaseRef& lease, Operation& operation) {
  if (lease.core == nullptr) {
    Lane::refuse(operation, std::make_exception_ptr(
                                Error(errc::transaction_finished,
                                      std::string(operation.request().verb) +
                                          " on a transaction or lease that was finished, given back or moved from")));
  } else {
    lease.lane->submit_on_lease(lease, operation);
  }
}

}  // namespace statehouse::detail
