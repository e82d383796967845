#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>

#include "engine/session.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/detail/operation.hpp"

namespace statehouse::detail {

/// One connection of a lane and who has it.
///
///     idle -> scheduled -> running -> scheduled ... -> idle      a database thread works through the queue
///     idle/running -> leased_idle -> idle | scheduled            a caller holds it
///     leased_idle -> leased_waiting -> leased_running -> ...     and has it do something
///     any -> parked                                              the lane is closed; never left
///
/// Thread-safety: the connection is touched only by the thread that runs the slot, or under the lane's mutex while
/// nobody does. All else is under that mutex, but for `begin`.
class Slot {
 public:
  using Open = std::function<std::unique_ptr<Connection>(const std::shared_ptr<Interrupter>&)>;
  enum class state : unsigned char { idle, scheduled, running, leased_idle, leased_waiting, leased_running, parked };

  std::unique_ptr<Connection> connection;    // empty before it is needed, and when it could not be opened again
  std::unique_ptr<Connection> spent;         // what it is opened anew for: gone when that is done
  std::shared_ptr<Interrupter> interrupter;  // null where there is neither a connection nor one on its way
  bool reported = false;                     // as held for long
  std::size_t planned = 0;                   // of what waits, what its batch is still to take

  /// Null where there is no connection.
  Session* session() const noexcept;
  /// One that was opened elsewhere, and what stops it.
  void adopt(std::unique_ptr<Connection> opened, std::shared_ptr<Interrupter> stop) noexcept;
  /// Leaves no work of the last operation behind and closes the connection, which `before_close`, if there is one, sees
  /// before.
  void close(const std::function<void(Session&)>* before_close) noexcept;
  /// From any thread.
  bool is_open() const noexcept { return open_.load(std::memory_order_relaxed); }
  /// Leaves no work of the last operation behind; closes a connection of which that cannot be said.
  void clean() noexcept;
  /// The connection as the next user expects it, or the holder of a lease: opened anew if need be and, unless that is
  /// null, seen by `before_next`; an error when that fails. Those whose writes made a checkpoint due have heard of them
  /// by now.
  std::exception_ptr make_ready(const Open& open, const std::function<void(Session&)>* before_next) noexcept;
  /// Connections that came back with an open transaction, and those that could not be made as on opening. From any
  /// thread.
  std::uint64_t rolled_back() const noexcept { return rolled_back_.load(std::memory_order_relaxed); }
  std::uint64_t replaced() const noexcept { return replaced_.load(std::memory_order_relaxed); }

  /// The only way from one state to another.
  void enter(state next) noexcept;
  static bool may_follow(state from, state to) noexcept;
  bool is(state wanted) const noexcept { return state_ == wanted; }
  /// A thread has it.
  bool running() const noexcept { return is(state::running) || is(state::leased_running); }
  bool leased() const noexcept {
    return is(state::leased_idle) || is(state::leased_waiting) || is(state::leased_running);
  }
  /// The same, or a stream has its snapshot; a lease that is no transaction has none between two operations.
  bool reads() const noexcept { return running() || (leased() && lease_.in_transaction); }
  /// It runs what it had from the queue, and will come there again.
  bool at_work() const noexcept { return is(state::running) && current() != nullptr; }
  /// The same, or is on its way there; with a connection.
  bool comes_again() const noexcept { return at_work() || (is(state::scheduled) && is_open()); }
  /// Somebody's, as opposed to one whose thread is between two operations.
  bool in_use() const noexcept { return leased() || at_work(); }

  /// From now on `operation` is what runs; by the thread that runs it.
  void begin(const Operation& operation, Clock::time_point now) noexcept;
  /// Nothing runs any more.
  void end() noexcept { current_.store(nullptr, std::memory_order_relaxed); }
  /// What runs. It is alive, as it ends under the mutex.
  const Operation* current() const noexcept { return current_.load(std::memory_order_acquire); }
  Clock::time_point since() const noexcept { return since_.load(std::memory_order_relaxed); }
  /// Not used for this time, as far as has been looked: it counts from when it is first asked after a use.
  bool quiet_for(TimeLimit time, Clock::time_point now) noexcept;

  struct Lease {
    std::uint64_t ticket = 0;
    operation_verb verb{};
    std::source_location where{};
    Clock::time_point since{};
    bool in_transaction = false;   // which the caller ends
    bool dropped = false;          // while an operation ran on it or waited to
    Operation* waiting = nullptr;  // to run on it
  };
  const Lease& lease() const noexcept { return lease_; }
  /// Else a handle with that ticket is stale.
  bool leased_as(std::uint64_t ticket) const noexcept { return leased() && lease_.ticket == ticket; }

  /// To the caller of `operation`, which is done. If he never runs its completion, the handle in the operation gives
  /// the connection back.
  void lease_to(Operation& operation, Lane& lane, std::shared_ptr<void> owner, Clock::time_point now) noexcept;
  /// The holder has something to run; a thread is on its way.
  void wait_on_lease(Operation& operation) noexcept;
  /// The thread is there.
  Operation& run_on_lease() noexcept;
  /// What waited will not run.
  Operation& give_up_waiting() noexcept;
  /// The holder is gone.
  void drop_lease() noexcept { lease_.dropped = true; }

 private:
  void set_aside() noexcept;
  void renew(const Open& open);

  state state_ = state::idle;
  // Set by the running thread, read under the mutex.
  std::atomic<const Operation*> current_{nullptr};
  std::atomic<Clock::time_point> since_{};
  std::atomic<bool> open_{false};
  Clock::time_point seen_{};
  Clock::time_point quiet_since_{};
  Lease lease_;
  std::atomic<std::uint64_t> rolled_back_{0};
  std::atomic<std::uint64_t> replaced_{0};
};

}  // namespace statehouse::detail
