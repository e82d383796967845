#pragma once

#include <boost/intrusive/list.hpp>

#include "lane/slot.hpp"

namespace statehouse::detail {

class PoolCore;

using OperationList = boost::intrusive::list<Operation>;

/// Runs what a slot has claimed, on the calling database thread: one operation as it is, several in one transaction.
///
/// Invariants: each operation has the outcome it would have had alone, in its order; what writes is done only after the
/// commit. An operation that fails undoes itself alone. What ran in a transaction that is lost is run again, one by
/// one, also what failed: it may have failed for something that is now undone, or kept half its work (OR FAIL).
class Batch {
 public:
  Batch(Slot& slot, const PoolCore& pool);

  /// Stops early when its time is over; what is left in the claims is the lane's again.
  void run();
  /// What has run, in its order.
  OperationList& done() noexcept { return done_; }

  /// One operation by itself, such as on a lease.
  void run_alone(Operation& operation);

 private:
  void run(Operation& operation, bool others_follow);
  void settle(Operation& operation);
  void commit();
  void repeat_open();
  void keep_open();
  void enter(Operation& operation);
  void leave(Operation& operation);
  Session& session() const noexcept { return slot_.connection->session(); }

  Slot& slot_;
  const PoolCore& pool_;
  Clock::time_point now_;
  bool sharing_ = false;  // a transaction is open for several
  bool lost_ = false;     // one was; the rest of this batch does without
  OperationList open_;    // ran in the open transaction
  OperationList done_;
};

}  // namespace statehouse::detail
