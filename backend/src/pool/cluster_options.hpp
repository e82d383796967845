#pragma once

#include "statehouse/options.hpp"

namespace statehouse::detail {

inline bool in_cluster(const PoolOptions& options) noexcept {
  return !options.cluster.nodes.empty();
}

/// Throws Error with `errc::invalid_option` where a cluster is given and cannot be what is meant.
void check_cluster(const PoolOptions& options);
/// The same for the options that all databases share.
void check_shared_cluster(const PoolOptions& options);

}  // namespace statehouse::detail
