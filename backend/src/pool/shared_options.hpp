#pragma once

#include <memory>

#include "statehouse/options.hpp"

namespace statehouse::detail {

/// Of one database, or of all that have the same: with what follows from it.
using SharedOptions = std::shared_ptr<const PoolOptions>;

/// With the number of readers, and what one option means for another, filled in.
SharedOptions share_options(PoolOptions options);

}  // namespace statehouse::detail
