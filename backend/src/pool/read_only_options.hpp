#pragma once

#include "statehouse/options.hpp"

namespace statehouse::detail {

/// Throws Error with `errc::invalid_option` where a database is to be `read_only` and something that needs a writer.
void check_read_only(const PoolOptions& options);

}  // namespace statehouse::detail
