#include "engine/vfs_option.hpp"

#include "statehouse/error.hpp"

namespace statehouse::detail {

void check_vfs(const ConnectionOptions& options) {
  if (options.vfs.empty() || !options.exclusive) return;
  throw Error(errc::invalid_option, "connection.exclusive is a VFS of SQLite's: leave it out, or connection.vfs");
}

}  // namespace statehouse::detail
