#include "membership.hpp"

#include <exception>
#include <stdexcept>

#include "cluster/administration.hpp"
#include "cluster/encoder.hpp"
#include "statehouse/error.hpp"

namespace statehouse::node {
namespace {

namespace wire = detail::wire;
using detail::Administration;

constexpr TimeLimit one_answer{1000};

void require_same_address(const std::vector<wire::Member>& members, const Self& self) {
  const wire::Member* const known = detail::find_member(members, self.id);
  if (known == nullptr || known->address == self.address) return;
  throw std::runtime_error("the cluster knows node " + std::to_string(self.id) + " at " + known->address +
                           ": start it there, or remove it and choose an id that was never used");
}

/// A node on its way into a cluster.
class Joining {
 public:
  Joining(Administration& cluster, const Self& self, const std::vector<std::string>& contacts)
      : cluster_(cluster), self_(self), contacts_(contacts) {}

  /// What is still in the way; empty when the node is a member, and knows its role where it is told of it.
  std::string attempt() {
    try {
      return go_further();
    } catch (const detail::NetworkError& error) {
      return error.what();
    } catch (const detail::Refusal& refusal) {  // another change is under way, or the leader has just gone
      return std::string("the leader refuses: ") + refusal.what();
    } catch (const Error& error) {
      return error.what();
    }
  }
  /// A role other than a voter's, which somebody has chosen for it; null for none.
  const char* chosen() const noexcept { return chosen_; }

 private:
  std::string go_further() {
    const auto leader = cluster_.find_leader(contacts_);
    if (leader == nullptr) return "no leader is found: " + cluster_.findings();
    const auto members = cluster_.members(*leader);
    require_same_address(members, self_);
    wire::Member wanted{self_.id, self_.address, wire::role::voter};
    const wire::Member* const known = detail::find_member(members, self_.id);
    if (known == nullptr) {
      added_ = true;
    } else if (was_chosen(*known)) {
      chosen_ = known->role == wire::role::standby ? "standby" : "spare";
      if (known->role == wire::role::spare) return {};  // which nobody tells anything
      wanted.role = known->role;
    }
    cluster_.make_member(*leader, wanted);
    return cluster_.knows_itself(wanted) ? "" : "the leader has not reached this node yet";
  }
  /// A join makes a spare first, then a voter. One that was interrupted between leaves a spare who knows of no members:
  /// the log that tells of them comes with the vote. A voter that was made a spare still knows what it was.
  bool was_chosen(const wire::Member& known) const {
    if (added_ || known.role == wire::role::voter) return false;
    return known.role == wire::role::standby || !cluster_.members(*cluster_.connect(self_.address)).empty();
  }

  Administration& cluster_;
  const Self& self_;
  const std::vector<std::string>& contacts_;
  bool added_ = false;  // by this process, so what it is by now is on its way to a voter
  const char* chosen_ = nullptr;
};

}  // namespace

bool join(const Self& self, const std::vector<std::string>& contacts, const std::function<bool()>& wait,
          const std::function<void(const std::string&)>& tell) {
  bool ending = false;
  const auto go_on = [&] {
    ending = ending || !wait();
    return !ending;
  };
  Administration cluster(one_answer, go_on);
  Joining joining(cluster, self, contacts);
  std::string told;
  for (std::string trouble = joining.attempt(); !trouble.empty(); trouble = joining.attempt()) {
    if (trouble != told) tell("has not joined yet and tries again: " + trouble);
    told = trouble;
    if (!go_on()) return false;
  }
  if (joining.chosen() != nullptr)
    tell(std::string("stays a ") + joining.chosen() + ", as it was made: 'statehouse cluster add' makes it a voter");
  return true;
}

std::string hand_over(const Self& self, const std::function<bool()>& wait) noexcept {
  try {
    Administration cluster(one_answer, wait);
    const auto own = cluster.connect(self.address);
    if (cluster.ask<wire::Server>(*own, wire::leader_request()).address != self.address) return {};
    for (const wire::Member& other : cluster.members(*own)) {
      if (other.id == self.id || other.role != wire::role::voter) continue;
      try {
        if (cluster.takes_over(*cluster.connect(self.address), other)) return other.address;
      } catch (const std::exception&) {  // this one is down: the next may not be
        continue;
      }
    }
  } catch (const std::exception&) {  // then there is an election
  }
  return {};
}

std::string leader_by(const std::string& address) noexcept {
  try {
    return Administration(one_answer, [] { return false; }).leader_by(address);
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace statehouse::node
