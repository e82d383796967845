#include "statehouse/detail/savepoint_scope.hpp"

#include <exception>
#include <utility>

#include "engine/session.hpp"

namespace statehouse::detail {

SavepointScope::SavepointScope(Session& session) : session_(session) {
  session_.savepoint(savepoint_step::begin);
  outer_ = std::exchange(session_.rules().expects_transaction, true);
}

void SavepointScope::release() {
  session_.savepoint(savepoint_step::release);
  session_.rules().expects_transaction = outer_;
  released_ = true;
}

SavepointScope::~SavepointScope() {
  if (released_) return;
  // SQLite may have rolled back the whole transaction already, and the savepoint with it.
  if (session_.in_transaction()) {
    const Interrupter::Shield shield(session_.interrupter());
    try {
      session_.savepoint(savepoint_step::rollback);
    } catch (const std::exception&) {
      session_.rollback();  // half of a savepoint must not be committed: give up the whole transaction
    }
  }
  session_.rules().expects_transaction = outer_;
}

}  // namespace statehouse::detail
