#pragma once

#include <functional>
#include <memory>

#include "lane/lane.hpp"

namespace statehouse::detail {

/// Queues `chore(Session&)`, something a pool does on a connection of its own accord, behind what waits in the lane;
/// nobody waits for it. What is given lives until it is done.
std::weak_ptr<void> queue_chore(Lane& lane, const DatabaseExecutor& executor, operation_verb verb,
                                std::function<void(Session&)> chore);

}  // namespace statehouse::detail
