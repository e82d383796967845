#pragma once

#include "statehouse/options.hpp"
#include "system.hpp"

namespace statehouse::bench {

inline constexpr const char* plain_client_name = "plain client";

/// A pool of an AppState, which uses a cluster and nothing on this machine.
std::unique_ptr<System> open_pool_in_cluster(const ClusterOptions& cluster, unsigned readers);
/// `Load::in_flight` loops, each on a thread and a connection of its own: a prepared statement, one request, its
/// answer, the next. Each write is a transaction of its own, as for any client that does nothing about it.
std::unique_ptr<System> open_plain_client(const ClusterOptions& cluster);

}  // namespace statehouse::bench
