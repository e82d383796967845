#pragma once

#include <functional>
#include <memory>

#include "lane/lane.hpp"

namespace statehouse::detail {

/// Queues `chore(Session&)`, something a pool does on its own writer, behind what waits for that; nobody waits for it.
/// What is given lives until it is done.
std::weak_ptr<void> queue_chore(Lane& writer, const DatabaseExecutor& executor, operation_verb verb,
                                std::function<void(Session&)> chore);

}  // namespace statehouse::detail
