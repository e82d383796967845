#pragma once

#include <cstddef>

#include "cluster/leader.hpp"
#include "cluster_fixture.hpp"

namespace statehouse::test {

/// Asks as a client would. Waits for an election.
inline std::size_t leader_of(const ClusterFixture& cluster) {
  using namespace std::chrono_literals;
  const detail::Interrupter never(make_steady_clock());
  for (;;) {
    for (const std::string& address : cluster.addresses()) {
      detail::Leader alone({.nodes = {address}, .database = "test.db", .dial_timeout = 1s, .find_leader = 1ms});
      if (alone.confirms(address, never)) return cluster.index_of(address);
    }
  }
}

}  // namespace statehouse::test
