#include "statehouse/cluster_admin.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "cluster/admin_call.hpp"
#include "cluster/encoder.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse {
namespace {

using namespace detail;

/// The copy is made before its first byte comes.
constexpr TimeLimit longest_copy{60'000};
/// Nodes that agree at all do so some moments after a change.
constexpr TimeLimit longest_disagreement{1'000};

/// What the node says otherwise than the one that leads; empty where they agree.
std::string disagreement(const ClusterNode& node, const Members& known, const std::string& named,
                         const std::string& leader) {
  if (node.role == node_role::spare) return {};  // nobody tells it anything
  const wire::Member* const self = find_member(known, node.id);
  if (self == nullptr) return "does not know that it is a member";
  if (static_cast<int>(self->role) != static_cast<int>(node.role)) return "does not know its role";
  if (named.empty()) return "knows no leader";
  if (named != leader) return "takes " + named + " for the leader";
  return {};
}

/// What the node says of itself. With patience, one that does not agree is asked again.
void look_at(ClusterNode& node, const std::string& leader, const Administration& administration,
             const Patience& patience) {
  do {
    try {
      const auto channel = administration.connect(node.address);
      const auto named = administration.ask<wire::Server>(*channel, wire::leader_request()).address;
      node.leads = named == node.address && named == leader;
      const auto metadata = administration.ask<wire::Metadata>(*channel, wire::describe_request());
      node.failure_domain = metadata.failure_domain;
      node.weight = metadata.weight;
      node.trouble = disagreement(node, administration.members(*channel), named, leader);
    } catch (const std::exception& error) {
      node.trouble = error.what();
      return;
    }
    if (node.trouble.empty()) return;
    pause(between_tries, patience);
  } while (!patience.over());
}

/// The leader where there is one, else the first that answers.
std::pair<std::unique_ptr<Channel>, std::string> anyone(Administration& administration,
                                                        const std::vector<std::string>& contacts) {
  if (auto leader = administration.find_leader(contacts)) {
    std::string address = leader->address();
    return {std::move(leader), std::move(address)};
  }
  for (const std::string& contact : contacts) {
    try {
      auto channel = administration.connect(contact);
      if (!administration.members(*channel).empty()) return {std::move(channel), std::string()};
    } catch (const std::exception&) {  // as it was found already
      continue;
    }
  }
  throw Error(errc::unavailable, "no node of a cluster answers: see that they run and are reached from here: " +
                                     administration.findings());
}

/// Throws Error where the node at `wanted.address` cannot become that member.
void require_fit(AdminCall& call, const Members& members, const wire::Member& wanted) {
  for (const wire::Member& each : members) {
    if (each.id == wanted.id && each.address != wanted.address)
      refuse("the cluster knows " + name_of(each) + ": choose an id that was never used, or remove that one first");
    if (each.id != wanted.id && each.address == wanted.address)
      refuse(name_of(each) + " is a member already: leave it that id, or remove it first");
  }
  std::string leader;
  try {
    leader = call.administration().leader_by(wanted.address);
  } catch (const std::exception& error) {
    throw Error(errc::unavailable, "no node answers at " + wanted.address + " (" + error.what() +
                                       "), and one that does not run is no help to a cluster: start statehouse-node "
                                       "there first; with --join it joins by itself");
  }
  if (!leader.empty() && std::ranges::find(members, leader, &wire::Member::address) == members.end())
    refuse("the node at " + wanted.address + " belongs to another cluster, which " + leader +
           " leads: start it with an empty directory and --join");
}

void require_database_name(const std::string& name) {
  if (!DatabaseName::parse_segment(name))  // a node may die of other ones
    refuse("'" + name + "' is no name of a database in a cluster: give ClusterOptions::database, without '/'");
}

/// The two files of a database, as this node has it; both empty where it has none.
void receive_copy(AdminCall& call, const ClusterOptions& options, Channel& node, const wire::FilesReader::Take& take) {
  const std::string& name = options.database;
  telling(request_kind::asks, [&] {
    node.send(wire::dump_request(name), call.patience(options.dial_timeout));
    node.receive_files(
        [&](std::string_view file, std::string_view bytes) {
          if (!file.starts_with(name)) wire::fail("a file of another database");
          const std::string_view suffix = file.substr(name.size());
          if (!suffix.empty() && suffix != "-wal") wire::fail("a file that no database has");
          take(suffix, bytes);
        },
        call.administration().interrupter(), longest_copy);
  });
}

bool is_on(AdminCall& call, const ClusterOptions& options, Channel& node) {
  struct Seen {};
  try {
    receive_copy(call, options, node, [](std::string_view, std::string_view bytes) {
      if (!bytes.empty()) throw Seen();
    });
    return false;
  } catch (const Seen&) {
    return true;
  }
}

}  // namespace

ClusterAdmin::ClusterAdmin(ClusterOptions options, std::stop_token stop)
    : options_(std::move(options)), stop_(std::move(stop)) {
  if (options_.nodes.empty()) refuse("which cluster? Give the address of a node, HOST:PORT, or of several");
  for (const std::string& node : options_.nodes) NodeAddress{node};
}

std::vector<ClusterNode> ClusterAdmin::nodes() const {
  AdminCall call(options_, stop_);
  const auto [contact, leader] = anyone(call.administration(), options_.nodes);
  const bool shorter = options_.dial_timeout != TimeLimit() && options_.dial_timeout < longest_disagreement;
  const TimeLimit limit = shorter ? options_.dial_timeout : longest_disagreement;
  std::vector<ClusterNode> nodes;
  for (const wire::Member& each : call.members(*contact)) {
    nodes.push_back({.id = each.id, .address = each.address, .role = static_cast<node_role>(each.role)});
    look_at(nodes.back(), leader, call.administration(), call.patience(limit));
  }
  std::ranges::sort(nodes, {}, &ClusterNode::id);
  return nodes;
}

void ClusterAdmin::add(std::uint64_t id, const std::string& address, node_role role) const {
  static_cast<void>(NodeAddress{address});
  if (id == 0) refuse("ids of nodes count from 1");
  AdminCall call(options_, stop_);
  auto leader = call.leader();
  const Members members = call.members(*leader);
  const wire::Member wanted{id, address, static_cast<wire::role>(role)};
  require_fit(call, members, wanted);
  const wire::Member* const known = find_member(members, id);
  if (known != nullptr && known->role == wire::role::voter && role != node_role::voter)
    leader = call.leader_without(std::move(leader), members, *known);
  telling(request_kind::changes, [&] { call.administration().make_member(*leader, wanted); });
  if (role != node_role::spare) call.settle(wanted);  // which hears nothing of it
}

void ClusterAdmin::remove(std::uint64_t id) const {
  AdminCall call(options_, stop_);
  auto leader = call.leader();
  const Members members = call.members(*leader);
  const wire::Member leaving = call.require(members, id);
  if (leaving.role == wire::role::voter) leader = call.leader_without(std::move(leader), members, leaving);
  telling(request_kind::changes, [&] { call.administration().change(*leader, wire::remove_request(id)); });
}

void ClusterAdmin::transfer(std::uint64_t id) const {
  AdminCall call(options_, stop_);
  const auto leader = call.leader();
  const Members members = call.members(*leader);
  const wire::Member& next = call.require(members, id);
  if (next.address == leader->address()) return;
  if (next.role != wire::role::voter)
    refuse(name_of(next) + " does not vote, and only a voter can lead: add it as one");
  if (const std::string trouble = call.trouble_of_asking(next.address); !trouble.empty())
    throw Error(errc::unavailable, name_of(next) + " does not answer (" + trouble + "): start it first");
  call.hand_over(*leader, next);
}

bool ClusterAdmin::has_database() const {
  require_database_name(options_.database);
  AdminCall call(options_, stop_);
  const auto leader = call.leader();
  for (const wire::Member& each : call.members(*leader)) {
    if (each.address == leader->address() || each.role == wire::role::spare) continue;
    try {
      if (is_on(call, options_, *call.administration().connect(each.address))) return true;
    } catch (const std::exception&) {  // this one is down: the next may not be
      continue;
    }
  }
  return is_on(call, options_, *leader);  // which knows of all, and of those that nothing was written to
}

void ClusterAdmin::dump(const std::function<void(std::string_view, std::string_view)>& take) const {
  const std::string& name = options_.database;
  require_database_name(name);
  AdminCall call(options_, stop_);
  bool found = false;
  receive_copy(call, options_, *call.leader(), [&](std::string_view suffix, std::string_view bytes) {
    found = found || !bytes.empty();
    take(suffix, bytes);
  });
  if (!found)
    throw Error(boost::system::error_code(ENOENT, boost::system::system_category()),
                "the cluster has no database '" + name + "', or nothing was ever written to it: check the name");
}

}  // namespace statehouse
