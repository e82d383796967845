#include "pool/cluster_options.hpp"

#include "cluster/socket.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

void refuse_if(bool wrong, const char* message) {
  if (wrong) throw Error(errc::invalid_option, message);
}

}  // namespace

void check_cluster(const PoolOptions& options) {
  if (!in_cluster(options)) {
    refuse_if(!options.cluster.database.empty(), "cluster.database is given, but cluster.nodes is empty: name nodes");
    return;
  }
  for (const std::string& node : options.cluster.nodes) NodeAddress{node};
  // A node dies of an empty name, and of one that is too long.
  const std::string& name = options.cluster.database;
  if (!name.empty() && !DatabaseName::parse_segment(name))
    throw Error(errc::invalid_option,
                "cluster.database: use 1 to 64 of A-Z a-z 0-9 . _ - starting with a letter or digit, without '..'");
  refuse_if(options.cluster.dial_timeout < TimeLimit() || options.cluster.find_leader < TimeLimit(),
            "cluster.dial_timeout and cluster.find_leader must not be negative; zero is no limit");
  refuse_if(options.in_memory, "in_memory and cluster.nodes exclude each other: leave one of them out");
  const ConnectionOptions& connection = options.connection;
  refuse_if(connection.exclusive, "connection.exclusive is of files, and does not go with cluster.nodes: leave it out");
  refuse_if(connection.on_connect != nullptr,
            "connection.on_connect does not go with cluster.nodes, as SQLite runs inside the nodes: leave it out");
  refuse_if(
      connection.on_open != nullptr || !connection.vfs.empty(),
      "connection.on_open and connection.vfs do not go with cluster.nodes, as the nodes open the files: leave them "
      "out");
  refuse_if(options.startup_check != integrity_check::never,
            "startup_check is of files, and does not go with cluster.nodes: leave it out");
  refuse_if(options.backup.every > TimeLimit(),
            "backup is of files, and does not go with cluster.nodes: use 'statehouse cluster dump'");
}

void check_shared_cluster(const PoolOptions& options) {
  refuse_if(!options.cluster.database.empty(),
            "cluster.database would be the one of every database: leave it out, or give it by db_instances.configure");
  check_cluster(options);
}

}  // namespace statehouse::detail
