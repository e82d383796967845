#include <algorithm>
#include <boost/json/array.hpp>
#include <string>

#include "arguments.hpp"
#include "cluster.hpp"
#include "commands.hpp"
#include "output.hpp"

namespace statehouse::cli {
namespace {

node_role role_named(const std::string& name) {
  for (const node_role role : {node_role::voter, node_role::standby})
    if (name == name_of(role)) return role;
  return node_role::spare;
}

json::object to_json(const ClusterNode& node) {
  json::object object{{"id", node.id},
                      {"address", node.address},
                      {"role", name_of(node.role)},
                      {"leads", node.leads},
                      {"failure_domain", node.failure_domain},
                      {"weight", node.weight},
                      {"trouble", nullptr}};
  if (!node.trouble.empty()) object["trouble"] = node.trouble;
  return object;
}

std::vector<Cell> to_row(const ClusterNode& node) {
  const bool well = node.trouble.empty();
  return {{std::to_string(node.id)},
          {node.address},
          {name_of(node.role)},
          {well ? node.leads ? "leads" : "answers" : node.trouble, well ? style::good : style::bad}};
}

/// What is to be done about the cluster, if anything.
void judge(const std::vector<ClusterNode>& nodes) {
  const auto in_trouble = std::ranges::count_if(nodes, [](const auto& node) { return !node.trouble.empty(); });
  if (std::ranges::none_of(nodes, &ClusterNode::leads))
    throw Finding("unavailable",
                  "no node leads, so nothing can be read or written: start those that do not answer, "
                  "until most of the voters run and reach each other");
  if (in_trouble == 0) return;
  throw Finding("degraded",
                "the cluster works, but not with all of its nodes: start those that do not answer; one that "
                "is lost for good: 'statehouse cluster remove' it, and let a new one join");
}

/// The node's address, as a member; Finding where it is none.
ClusterNode require_member(const ClusterAdmin& cluster, std::int64_t id) {
  std::string known;
  for (ClusterNode& node : cluster.nodes()) {
    if (static_cast<std::int64_t>(node.id) == id) return std::move(node);
    known += (known.empty() ? "" : ", ") + std::to_string(node.id);
  }
  throw Finding("not_found", "the cluster has no node " + std::to_string(id) + ", but " + known);
}

}  // namespace

void cluster_status(const Arguments& arguments, Output& output) {
  const ClusterAdmin cluster(cluster_of(arguments));
  output.document()["leader"] = nullptr;
  auto& list = output.document()["nodes"].emplace_array();
  Table table{{"id", "address", "role", "state"}, {}};
  const auto nodes = cluster.nodes();
  for (const ClusterNode& node : nodes) {
    list.push_back(to_json(node));
    table.rows.push_back(to_row(node));
  }
  for (const ClusterNode& node : nodes)
    if (node.leads) output.document()["leader"] = node.id;
  output.table(table);
  judge(nodes);
}

void cluster_add(const Arguments& arguments, Output& output) {
  const ClusterAdmin cluster(cluster_of(arguments));
  cluster.add(static_cast<std::uint64_t>(arguments.node_id), arguments.node_address, role_named(arguments.node_role));
  output.document()["id"] = arguments.node_id;
  output.document()["address"] = arguments.node_address;
  output.document()["role"] = arguments.node_role;
  output.line("node " + std::to_string(arguments.node_id) + " at " + arguments.node_address + " is a " +
                  arguments.node_role + " of the cluster",
              style::good);
}

void cluster_remove(const Arguments& arguments, Output& output) {
  const ClusterAdmin cluster(cluster_of(arguments));
  const ClusterNode node = require_member(cluster, arguments.node_id);
  output.document()["id"] = node.id;
  output.document()["address"] = node.address;
  output.document()["removed"] = false;
  const std::string name = "node " + std::to_string(node.id) + " at " + node.address;
  output.confirm("Take " + name + ", a " + name_of(node.role) + ", out of the cluster?", arguments.yes);
  cluster.remove(node.id);
  output.document()["removed"] = true;
  output.line(name + " is no member any more", style::good);
  if (node.trouble.empty())
    output.note("it still runs, and joins again when it is restarted with --join: stop it for good");
}

void cluster_transfer(const Arguments& arguments, Output& output) {
  const ClusterAdmin cluster(cluster_of(arguments));
  const ClusterNode node = require_member(cluster, arguments.node_id);
  cluster.transfer(node.id);
  output.document()["leader"] = node.id;
  output.document()["address"] = node.address;
  output.line("node " + std::to_string(node.id) + " at " + node.address + " leads", style::good);
}

}  // namespace statehouse::cli
