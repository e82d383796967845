#pragma once

#include "statehouse/options.hpp"

namespace statehouse::detail {

/// Throws Error with `errc::invalid_option` where another process is to checkpoint what it cannot have open.
void check_checkpoint(const PoolOptions& options);
/// With the patience that another process's checkpoints ask for.
PoolOptions with_checkpoint_patience(PoolOptions options);

}  // namespace statehouse::detail
