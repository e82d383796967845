#pragma once

#include <memory>

#include "statehouse/options.hpp"

namespace statehouse::detail {

/// Of one database, or of all that have the same: with what follows from it.
using SharedOptions = std::shared_ptr<const PoolOptions>;

SharedOptions share_options(PoolOptions options);

}  // namespace statehouse::detail
