#include "pool/checkpoint_options.hpp"

#include <algorithm>

#include "pool/cluster_options.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

/// Litestream asks for it: it has the write lock while it cuts the log.
constexpr std::chrono::milliseconds least_patience{5000};

}  // namespace

void check_checkpoint(const PoolOptions& options) {
  if (options.checkpoint == checkpoint_mode::own) return;
  const char* const what = options.in_memory              ? "in_memory"
                           : options.connection.exclusive ? "connection.exclusive"
                           : in_cluster(options)          ? "cluster.nodes"
                                                          : nullptr;
  if (what == nullptr) return;
  throw Error(errc::invalid_option, std::string("checkpoint: another process cannot move the log of what it cannot "
                                                "have open: leave it out, or ") +
                                        what);
}

PoolOptions with_checkpoint_patience(PoolOptions options) {
  TimeLimit& patience = options.connection.busy_timeout;
  if (options.checkpoint != checkpoint_mode::own) patience = std::max(patience, TimeLimit(least_patience));
  return options;
}

}  // namespace statehouse::detail
