#pragma once

#include "statehouse/detail/session.hpp"

namespace statehouse::detail {

inline void require_no_transaction(const Session& session) {
  if (session.in_transaction())
    session.fail(errc::operation_in_progress, "migrations run in transactions of their own: commit the open one first",
                 {});
}

/// BEGIN IMMEDIATE; rolled back on the way out unless there was a commit.
class ImmediateTransaction {
 public:
  explicit ImmediateTransaction(Session& session) : session_(session) { session_.begin(transaction_kind::immediate); }
  ~ImmediateTransaction() { session_.rollback(); }
  ImmediateTransaction(const ImmediateTransaction&) = delete;
  ImmediateTransaction& operator=(const ImmediateTransaction&) = delete;

 private:
  Session& session_;
};

}  // namespace statehouse::detail
