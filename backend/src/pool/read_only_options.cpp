#include "pool/read_only_options.hpp"

#include <string>

#include "pool/cluster_options.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {

void check_read_only(const PoolOptions& options) {
  if (!options.read_only) {
    if (!options.immutable) return;
    throw Error(errc::invalid_option, "immutable is of a file that nobody writes: set read_only as well");
  }
  const char* const what = options.in_memory                            ? "in_memory"
                           : in_cluster(options)                        ? "cluster.nodes"
                           : options.mode == pool_mode::single          ? "pool_mode::single"
                           : options.checkpoint != checkpoint_mode::own ? "checkpoint"
                           : options.backup.every > TimeLimit()         ? "backup"
                           : options.connection.exclusive               ? "connection.exclusive"
                           : options.connection.tighten_permissions     ? "connection.tighten_permissions"
                                                                        : nullptr;
  if (what == nullptr) return;
  throw Error(
      errc::invalid_option,
      std::string("read_only: the file is somebody else's, who writes it and looks after it: leave it out, or ") +
          what);
}

}  // namespace statehouse::detail
