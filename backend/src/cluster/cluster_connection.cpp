#include <spdlog/spdlog.h>

#include <functional>
#include <utility>

#include "cluster/cluster_engine.hpp"
#include "cluster/socket.hpp"
#include "engine/connection_access.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse {
namespace {

/// Told when `stop` is requested.
struct StoppedInterrupter {
  explicit StoppedInterrupter(const std::stop_token& stop)
      : stopping(stop, [this] { interrupter.request(detail::stop_reason::cancelled); }) {}

  detail::Interrupter interrupter{make_steady_clock()};
  std::stop_callback<std::function<void()>> stopping;
};

}  // namespace

Connection Connection::in_cluster(const ClusterOptions& cluster, connection_role role, const ConnectionOptions& options,
                                  const std::stop_token& stop) {
  if (cluster.nodes.empty()) throw Error(errc::invalid_option, "cluster.nodes is empty: name nodes");
  for (const std::string& node : cluster.nodes) detail::NodeAddress{node};
  const auto name = DatabaseName::parse_or_throw(cluster.database);  // a node may die of other ones
  if (!name.directory().empty()) throw Error(errc::invalid_name, "a database in a cluster has no '/' in its name");
  detail::ClusterEngine engine({.database = std::string(name.view()),
                                .cluster = cluster,
                                .connection = options,
                                .logger = spdlog::default_logger()});
  const auto stopped = std::make_shared<StoppedInterrupter>(stop);
  return detail::ConnectionAccess::open(engine.open(role, {stopped, &stopped->interrupter}), options);
}

}  // namespace statehouse
