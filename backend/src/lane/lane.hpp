#pragma once

#include <condition_variable>
#include <mutex>

#include "engine/engine.hpp"
#include "lane/afterwards.hpp"
#include "lane/brief_mutex.hpp"
#include "lane/history.hpp"
#include "lane/slot_set.hpp"
#include "lane/wait_timer.hpp"

namespace statehouse::detail {

class Batch;
struct BatchTerms;
struct Taken;

/// Connections of one kind and the operations that wait for them, first in, first out. What waits at the same moment
/// and may share a transaction is run as a Batch; nothing waits for one to fill. A connection is opened when an
/// operation finds all others busy, on its database thread.
///
/// While it is asleep nothing begins, and who comes has `LaneContext::wake` called: there is no database to open a
/// connection to.
///
/// Invariant: unless it is asleep, while a slot is idle, every operation that has not begun has a slot on its way: a
/// scheduled one, or, where the idle one's connection cannot be opened, one that is at work; or the budget was asked
/// for one. What is decided under the mutex and concerns others, their resumption for instance, is an `Afterwards`,
/// carried out when the mutex is free again.
///
/// Thread-safety: all functions may be called from any thread, but for `add` and `close_connections`. None runs an
/// operation on the calling thread but `run_inline`. Lifetime: `context` and whoever owns both outlive what is posted,
/// which holds the owner.
class Lane final : public ReaderGate {
 public:
  using Open = Slot::Open;

  /// `open` opens one more connection, of at most `most`; it is called on database threads.
  Lane(const LaneContext& context, connection_role role, std::size_t most, Open open);

  /// A connection that was acquired and opened elsewhere, while none is: before the first operation, or asleep.
  void add(std::unique_ptr<Connection> connection, std::shared_ptr<Interrupter> interrupter);

  void submit(Operation& operation);
  /// Runs a query on the calling thread, on an idle connection that has it prepared. False when that cannot be, or when
  /// it would take long: then nothing has happened.
  bool run_inline(Operation& operation);
  /// What `run_inline` has left will not be submitted: its caller was cancelled meanwhile.
  void abandon(Operation& operation) const noexcept;
  void submit_on_lease(const LeaseRef& lease, Operation& operation);
  void cancel(Operation& operation, asio::cancellation_type type) noexcept;
  void give_back(Slot& slot, std::uint64_t ticket) noexcept;

  /// Until `open_again` nothing begins, except on a lease. For one thread at a time.
  bool hold_back(TimeLimit limit) override;
  void open_again() override;
  std::vector<Holder> reading() const override;
  std::vector<Holder> holders() const;

  /// Nothing begins until `wake_up`. False, and nothing has changed, when somebody uses a connection or waits for one.
  bool fall_asleep();
  void stay_awake();  ///< It was not to be.
  /// `one_more`: a connection was acquired that it may open.
  void wake_up(bool one_more = false);
  /// Fails all that wait: they cannot be served.
  void fail_waiting(const std::exception_ptr& error);
  /// Those that nobody has used for `time`, as far as this was called since: closes them, on database threads.
  void close_quiet(TimeLimit time);
  /// One that nobody uses, at once; false when there is none, or it may not be closed alone.
  bool close_idle_one();
  /// `look` at a connection that nobody uses, on the calling thread, a database thread; false when there is none. It
  /// does not count as a use.
  bool look_at_idle(const std::function<void(Session&)>& look);
  /// When one of them was given somebody last.
  Clock::time_point last_use() const;
  /// Whether that is all of them.
  bool quiet_for(TimeLimit time);
  bool any_open() const;
  bool anybody_waits() const;

  /// Refuses what is queued and what comes, with `error`; parks what is not in use.
  void close(const std::exception_ptr& error);
  /// After `close`: stops what runs and takes leases back.
  void interrupt() noexcept;
  /// After `close`: true when nobody uses a connection any more.
  bool parked() const;
  /// Closes the connections: asleep, or of parked slots, when it is the last thing that happens to them.
  void close_connections() noexcept;

  /// Logs leases that are held for too long.
  void report_long_leases();
  LaneStats stats() const;
  std::uint64_t completed() const;
  /// Who comes now is refused.
  bool full() const;
  /// The last operation that has run found no space on the disk, and not before `since`.
  bool found_disk_full_since(Clock::time_point since) const;
  /// Of SQLite, about the file; empty when there was none.
  std::string last_error() const;

 private:
  // On a database thread.
  void serve(Slot& slot);
  void run_leased(Slot& slot, Operation& operation);
  void close_one(Slot& slot) noexcept;
  Taken take_first(Slot& slot, BatchTerms& terms);
  Taken take_next(Slot& slot, const BatchTerms& terms);
  bool finish(Slot& slot, Batch& batch);
  // Under the mutex.
  void schedule(Slot& slot);
  void schedule_idle();
  void put_back(OperationList& left, Afterwards& after);
  Afterwards free(Slot& slot);

  void expire();
  void granted();
  bool wanted() const noexcept { return context_.budget != nullptr && context_.budget->wanted(); }
  bool close_for_others(Slot& slot) noexcept;

  const LaneContext& context_;
  const connection_role role_;
  const Open open_;
  // Null for readers.
  const std::function<void(Session&)>* const before_next_;
  const std::function<void(Session&)>* const before_close_;
  const LaneMessages messages_;

  mutable BriefMutex mutex_;
  SlotSet slots_;
  OperationQueue queue_;
  History history_;
  WaitTimer timer_;
  std::condition_variable_any freed_;  // signalled while operations are held back
};

}  // namespace statehouse::detail
