#pragma once

#include <string>
#include <vector>

#include "statehouse/time_limit.hpp"

namespace statehouse {

/// A database that a cluster of nodes keeps, in place of a file.
struct ClusterOptions {
  /// Addresses HOST:PORT of some or all nodes; which of them leads is found out.
  std::vector<std::string> nodes{};
  /// What the database is called in the cluster: 1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit. A
  /// node dies of an empty name, and of one that is too long.
  std::string database{};
  TimeLimit dial_timeout{1000};   ///< Longest wait for one node to answer, before another one is asked; 0 for none.
  TimeLimit find_leader{15'000};  ///< Longest search for the node that leads; then `errc::unavailable`. 0 for none.
};

}  // namespace statehouse
