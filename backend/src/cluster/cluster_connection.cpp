#include <spdlog/spdlog.h>

#include <utility>

#include "cluster/cluster_engine.hpp"
#include "cluster/socket.hpp"
#include "engine/connection_access.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse {

Connection Connection::in_cluster(const ClusterOptions& cluster, connection_role role,
                                  const ConnectionOptions& options) {
  if (cluster.nodes.empty()) throw Error(errc::invalid_option, "cluster.nodes is empty: name nodes");
  for (const std::string& node : cluster.nodes) detail::NodeAddress{node};
  const auto name = DatabaseName::parse_or_throw(cluster.database);  // a node may die of other ones
  detail::ClusterEngine engine({.database = std::string(name.view()),
                                .cluster = cluster,
                                .connection = options,
                                .logger = spdlog::default_logger()});
  return detail::ConnectionAccess::open(engine.open(role, std::make_shared<detail::Interrupter>(make_steady_clock())),
                                        options);
}

}  // namespace statehouse
