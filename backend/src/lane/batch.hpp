#pragma once

#include "lane/lane_context.hpp"
#include "lane/operation_queue.hpp"
#include "lane/slot.hpp"

namespace statehouse::detail {

/// An operation out of the queue, and whether the next one in there may join it.
struct Taken {
  Operation* operation = nullptr;
  bool more = false;
};

/// What may join a batch. A read that came after the transaction began does not: who has asked for it may have heard of
/// a commit that the transaction's snapshot is older than.
struct BatchTerms {
  connection_role role = connection_role::writer;
  std::uint64_t last_number = 0;  ///< Of what was in the queue when it began.
  std::size_t limit = 1;          ///< Of operations.

  bool admit(const Operation& operation) const noexcept {
    const Request& request = operation.request();
    return request.may_share() && !operation.alone && request.role == role && operation.number <= last_number;
  }
};

/// Runs operations on the calling database thread: one as it is, several in one transaction.
///
/// Invariants: each operation has the outcome it would have had alone, in its order; what writes is done only after the
/// commit. An operation that fails undoes itself alone. What ran in a transaction that is lost is run again, one by
/// one, also what failed: it may have failed for something that is now undone, or kept half its work (OR FAIL). Where
/// nobody knows whether the transaction is kept, each that has changed something is told so and none runs again. None
/// runs on a connection that the one before has left so that it cannot be cleaned: that is replaced first.
///
/// A statement that was sent ahead is decided on when its transaction is over. Where it is run again then, it runs
/// after those behind it.
///
/// Queries that share no transaction are asked ahead where the engine can: each is executed twice, to note what it asks
/// and then with the answer. Who has none by then waits again, and runs alone as if nothing had been asked.
class Batch {
 public:
  /// `open` opens the connection anew where it could not be cleaned.
  Batch(Slot& slot, const LaneContext& context, const Slot::Open& open);

  /// `first`, then what `next()` gives: up to `limit`, and while there is time.
  template <class Next>
  void run(Taken first, std::size_t limit, Next next);
  /// One operation by itself, where that transaction is open already.
  void run_alone(Operation& operation, open_transaction around = open_transaction::none);

  /// One on a calling thread; false when it gave up for taking long.
  bool run_briefly(Operation& operation);
  /// What has run, in its order.
  OperationList& done() noexcept { return done_; }
  /// What it has taken and left, in its order.
  OperationList& left() noexcept { return asked_; }

 private:
  /// After that long it takes no further operation, so that one slow statement does not hold up what comes later.
  static constexpr auto time_limit = std::chrono::milliseconds(2);
  /// Nobody waits longer for the answers to all.
  static constexpr auto fetch_limit = std::chrono::milliseconds(250);

  template <class Next>
  void ask(Taken first, std::size_t limit, Next next);
  bool can_ask(const Operation& operation) const noexcept;
  bool ask(Operation& operation);
  void run_answered(std::size_t noted);
  void run_one(Operation& operation, bool others_follow);
  void run_next(Operation& operation);
  bool make_ready(Operation& operation);
  void decide(Operation& operation);
  void commit();
  void doubt_open();
  void repeat_open();
  void keep_open();
  bool take_answers();
  void begin(Operation& operation);
  void end(Operation& operation);
  Session& session() const noexcept { return *slot_.session(); }

  Slot& slot_;
  const LaneContext& context_;
  const Slot::Open& open_connection_;
  const void* const pool_;
  Clock::time_point now_;
  bool used_ = false;     // by an operation of this batch
  bool sharing_ = false;  // a transaction is open for several
  bool lost_ = false;     // one was; the rest of this batch does without
  Ahead ahead_;           // of those in the open transaction
  OperationList asked_;   // ahead, but perhaps for the last of them
  OperationList open_;    // ran in the open transaction
  OperationList done_;
};

template <class Next>
void Batch::run(Taken first, std::size_t limit, Next next) {
  if (limit > 1 && first.more && can_ask(*first.operation)) return ask(first, limit, next);
  const auto end = now_ + time_limit;
  std::size_t left = limit;
  for (Taken taken = first; taken.operation != nullptr; taken = next()) {
    const bool others_follow = --left > 0 && taken.more;
    run_one(*taken.operation, others_follow);
    if (!others_follow || now_ >= end) break;
  }
  if (sharing_) commit();
  slot_.interrupter->disarm();
}

/// The first that cannot ends it.
template <class Next>
void Batch::ask(Taken first, std::size_t limit, Next next) {
  slot_.begin(*first.operation, now_);
  slot_.interrupter->arm(now_ + fetch_limit);
  std::size_t noted = 0;
  for (Taken taken = first; taken.operation != nullptr; taken = next()) {
    asked_.push_back(*taken.operation);
    if (!can_ask(*taken.operation) || !ask(*taken.operation)) break;
    if (++noted == limit || !taken.more) break;
  }
  run_answered(noted);
}

}  // namespace statehouse::detail
