#pragma once

#include "statehouse/cluster_admin.hpp"

/// Which cluster is meant, and which of its databases.
namespace statehouse::cli {

struct Arguments;

/// The cluster, and the database that --name stands for, where it is given. Throws UsageError for none, and for what is
/// no address.
ClusterOptions cluster_of(const Arguments& arguments);

/// The same; throws UsageError where there is no --name.
ClusterOptions database_of_cluster(const Arguments& arguments);

/// "voter"
const char* name_of(node_role role);

}  // namespace statehouse::cli
