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

/// True when the node is a voter and knows it.
bool attempt(Administration& cluster, const Self& self, const std::vector<std::string>& contacts) {
  try {
    const auto leader = cluster.find_leader(contacts);
    if (leader == nullptr) return false;
    require_same_address(cluster.members(*leader), self);
    const wire::Member wanted{self.id, self.address, wire::role::voter};
    cluster.make_member(*leader, wanted);
    return cluster.knows_itself(wanted);
  } catch (const detail::NetworkError&) {
    return false;
  } catch (const detail::Refusal&) {  // another change is under way, or the leader has just gone
    return false;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

bool join(const Self& self, const std::vector<std::string>& contacts, const std::function<bool()>& wait) {
  bool ending = false;
  const auto go_on = [&] {
    ending = ending || !wait();
    return !ending;
  };
  Administration cluster(one_answer, go_on);
  while (!attempt(cluster, self, contacts)) {
    if (!go_on()) return false;
  }
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
