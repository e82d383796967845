#pragma once

#include "lane/lane_context.hpp"
#include "lane/lane_messages.hpp"
#include "lane/operation_queue.hpp"

namespace statehouse::detail {

/// What follows from a decision that was made under the lane's mutex: it is carried out when that is free again.
struct Afterwards {
  OperationList ended;  ///< To be resumed, in this order.
  bool parked = false;  ///< A connection of a closed lane came back.
  bool wanted = false;  ///< One is idle, and others wait for one in vain.

  void add(Afterwards&& later) noexcept {
    ended.splice(ended.end(), later.ended);
    parked = parked || later.parked;
    wanted = wanted || later.wanted;
  }

  /// The last that the calling thread does with the lane: whoever is resumed may destroy it.
  void carry_out(const LaneContext& context, const LaneMessages& messages) {
    if (parked && context.on_parked) context.on_parked();
    if (wanted && context.on_wanted) context.on_wanted();
    ResumeList resumed;
    while (!ended.empty()) {
      Operation& operation = ended.front();
      ended.pop_front();
      messages.ended(operation);
      resumed.add(operation);
    }
    resumed.post();
  }
};

}  // namespace statehouse::detail
