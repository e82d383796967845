#pragma once

#include <deque>

#include "lane/slot.hpp"

namespace statehouse::detail {

/// The connections of a lane, and which of them are idle. Under the lane's mutex.
class SlotSet {
 public:
  void add(std::unique_ptr<Connection> connection, std::shared_ptr<Interrupter> interrupter) {
    Slot& slot = all_.emplace_back(std::move(interrupter));
    slot.connection = std::move(connection);
    idle_.push_back(&slot);
  }

  /// The one that idles longest, so that connections are handed out in turn; null when none does. To enter another
  /// state at once.
  Slot* take_idle() noexcept {
    if (idle_.empty()) return nullptr;
    Slot* const slot = idle_.front();
    idle_.pop_front();
    return slot;
  }
  bool any_idle() const noexcept { return !idle_.empty(); }
  void put_idle(Slot& slot) {
    slot.enter(Slot::state::idle);
    idle_.push_back(&slot);
  }
  /// What nobody has and no thread has begun to run.
  void park_unused() noexcept {
    idle_.clear();
    for (Slot& slot : all_)
      if (slot.is(Slot::state::idle) || slot.is(Slot::state::scheduled)) slot.enter(Slot::state::parked);
  }

  std::size_t size() const noexcept { return all_.size(); }
  auto begin() noexcept { return all_.begin(); }
  auto end() noexcept { return all_.end(); }
  auto begin() const noexcept { return all_.begin(); }
  auto end() const noexcept { return all_.end(); }

 private:
  std::deque<Slot> all_;
  std::deque<Slot*> idle_;
};

}  // namespace statehouse::detail
