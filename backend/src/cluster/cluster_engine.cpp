#include "cluster/cluster_engine.hpp"

#include "cluster/cluster_session.hpp"

namespace statehouse::detail {

std::unique_ptr<Session> ClusterEngine::open(connection_role role, std::shared_ptr<Interrupter> interrupter) {
  return std::make_unique<ClusterSession>(SessionContext{.database = config_.database,
                                                         .role = role,
                                                         .interrupter = std::move(interrupter),
                                                         .logger = config_.logger,
                                                         .remote = true},
                                          config_.connection, leader_);
}

}  // namespace statehouse::detail
