#include "cluster.hpp"

#include "arguments.hpp"
#include "command_line.hpp"
#include "output.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse::cli {

ClusterOptions cluster_of(const Arguments& arguments) {
  if (arguments.cluster.empty())
    throw UsageError("which cluster? Give --cluster HOST:PORT, of one of its nodes or of several with commas");
  ClusterOptions options;
  options.nodes = command_line::split_list(arguments.cluster);
  options.dial_timeout = arguments.dial_timeout;
  options.find_leader = arguments.find_leader;
  check_prefix(arguments.dev_prefix);
  if (!arguments.name.empty())
    options.database = DatabaseName::parse_or_throw(arguments.name).file_name(arguments.dev_prefix);
  try {
    const ClusterAdmin checked(options);
  } catch (const Error& error) {
    throw UsageError(std::string("--cluster: ") + error.what());
  }
  return options;
}

ClusterOptions database_of_cluster(const Arguments& arguments) {
  if (arguments.name.empty()) throw UsageError("which database of the cluster? Give --name NAME");
  return cluster_of(arguments);
}

const char* name_of(node_role role) {
  switch (role) {
    case node_role::voter: return "voter";
    case node_role::standby: return "standby";
    case node_role::spare: break;
  }
  return "spare";
}

}  // namespace statehouse::cli
