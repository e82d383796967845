#pragma once

#include "statehouse/options.hpp"

namespace statehouse::detail {

/// Throws Error with `errc::invalid_option` where a VFS is given and another option needs one of its own.
void check_vfs(const ConnectionOptions& options);

}  // namespace statehouse::detail
