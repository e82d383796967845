#pragma once

#include <algorithm>
#include <cassert>
#include <functional>
#include <list>
#include <utility>
#include <vector>

#include "lane/lane_context.hpp"
#include "lane/slot.hpp"

namespace statehouse::detail {

/// The connections that a lane may have, and which of them nobody uses. Under the lane's mutex.
///
/// Each slot that is not unopened has acquired a connection of the budget.
class SlotSet {
 public:
  /// At most `most`; each is made when there is something to do for it. `granted` is called when one may be opened that
  /// the budget was asked for in vain, while the context's owner is alive.
  SlotSet(const LaneContext& context, std::size_t most, std::function<void()> granted)
      : context_(context), most_(most), granted_(std::move(granted)) {}

  /// One that is open already, and acquired.
  void add(std::unique_ptr<Connection> connection, std::shared_ptr<Interrupter> interrupter) {
    Slot& slot = take_unopened();
    slot.adopt(std::move(connection), std::move(interrupter));
    open_.push_back(&slot);
    ++acquired_;
  }

  /// Of those that are open the one that is idle for the longest time, so that they are handed out in turn; where there
  /// is none, one to be opened; null when there is none of these either, or it may not be yet. To enter another state
  /// at once.
  Slot* take_idle() {
    if (Slot* const open = take_open()) return open;
    if ((unopened_.empty() && all_.size() >= most_) || !acquire()) return nullptr;
    Slot& slot = take_unopened();
    slot.interrupter = std::make_shared<Interrupter>(context_.clock);
    return &slot;
  }
  /// Null when none is open and idle.
  Slot* take_open() noexcept {
    if (open_.empty()) return nullptr;
    Slot* const slot = open_.front();
    open_.erase(open_.begin());
    return slot;
  }
  /// What comes next has one at once, or asks for one.
  bool any_idle() const noexcept { return !open_.empty() || (!asked_ && (!unopened_.empty() || all_.size() < most_)); }
  bool all_idle() const noexcept { return open_.size() + unopened_.size() == all_.size(); }
  void put_idle(Slot& slot) {
    slot.enter(Slot::state::idle);
    (slot.is_open() ? open_ : unopened_).push_back(&slot);
    if (slot.is_open()) return;
    slot.interrupter.reset();
    release(1);
  }

  /// One may be opened: asked for, or given.
  void grant() noexcept {
    asked_ = false;
    ++granted_ahead_;
    ++acquired_;
  }
  /// What nobody has wanted of that goes back.
  void return_granted() noexcept { release(std::exchange(granted_ahead_, 0)); }
  /// It waits for the budget.
  bool asked() const noexcept { return asked_; }

  /// Those that are open and idle and were not used for so long; to enter another state at once.
  std::vector<Slot*> take_quiet(Clock::time_point now, TimeLimit time) {
    std::vector<Slot*> quiet;
    std::erase_if(open_, [&](Slot* slot) {
      if (!slot->quiet_for(time, now)) return false;
      quiet.push_back(slot);
      return true;
    });
    return quiet;
  }
  /// Nobody uses any, nor has for so long.
  bool quiet_for(TimeLimit time, Clock::time_point now) noexcept {
    std::size_t quiet = unopened_.size();
    for (Slot* const slot : open_) quiet += slot->quiet_for(time, now) ? 1 : 0;
    return quiet == all_.size();
  }
  /// All were idle or parked, and are closed now.
  void note_all_closed() {
    unopened_.insert(unopened_.end(), open_.begin(), open_.end());
    open_.clear();
    for (Slot& slot : all_) slot.interrupter.reset();
    release(acquired_);
  }

  /// What nobody has and no thread has begun to run.
  void park_unused() noexcept {
    open_.clear();
    unopened_.clear();
    for (Slot& slot : all_)
      if (slot.is(Slot::state::idle) || slot.is(Slot::state::scheduled)) slot.enter(Slot::state::parked);
  }

  std::size_t most() const noexcept { return most_; }
  std::size_t connections() const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(all_, &Slot::is_open));
  }
  auto begin() noexcept { return all_.begin(); }
  auto end() noexcept { return all_.end(); }
  auto begin() const noexcept { return all_.begin(); }
  auto end() const noexcept { return all_.end(); }

 private:
  Slot& take_unopened() {
    if (unopened_.empty()) return all_.emplace_back();
    Slot& slot = *unopened_.back();
    unopened_.pop_back();
    return slot;
  }

  bool acquire() {
    if (asked_) return false;
    if (granted_ahead_ > 0) return granted_ahead_-- > 0;
    if (context_.budget != nullptr) {
      asked_ = !context_.budget->acquire([granted = granted_, weak = context_.owner, budget = context_.budget] {
        if (const auto owner = weak.lock()) return granted();
        budget->release();
      });
      if (asked_) return false;
    }
    ++acquired_;
    return true;
  }
  void release(std::size_t count) noexcept {
    assert(count <= acquired_);
    acquired_ -= count;
    if (count > 0 && context_.budget != nullptr) context_.budget->release(count);
  }

  const LaneContext& context_;
  const std::size_t most_;
  const std::function<void()> granted_;
  std::size_t acquired_ = 0;
  std::size_t granted_ahead_ = 0;  // of those
  bool asked_ = false;
  // Few, and a deque has room for many.
  std::list<Slot> all_;
  // Idle ones.
  std::vector<Slot*> open_;
  std::vector<Slot*> unopened_;
};

}  // namespace statehouse::detail
