#pragma once

#include "statehouse/options.hpp"

namespace statehouse::detail {

/// Throws Error with `errc::invalid_option` where a VFS is given and another option needs one of its own.
void check_vfs(const ConnectionOptions& options);

/// The file may be encrypted, so that who has another key finds no database in it.
inline bool encrypts(const ConnectionOptions& options) noexcept {
  return options.on_open != nullptr || !options.vfs.empty();
}

}  // namespace statehouse::detail
