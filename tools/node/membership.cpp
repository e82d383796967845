#include "membership.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>

#include "cluster/channel.hpp"
#include "cluster/encoder.hpp"
#include "engine/interrupter.hpp"
#include "statehouse/error.hpp"

namespace statehouse::node {
namespace {

namespace wire = detail::wire;
using detail::Channel;
using detail::Patience;

constexpr std::chrono::seconds one_answer{1};
// A node that has nothing yet is given the whole database first. Asked again until it is done; and a leader that goes
// meanwhile never answers.
constexpr std::chrono::seconds one_change{10};

class Membership {
 public:
  Membership(std::uint64_t id, const std::string& address, const std::function<bool()>& wait)
      : id_(id), address_(address), wait_(wait), interrupter_(make_steady_clock()) {}

  /// False when the program is to end.
  bool go_on() {
    ending_ = ending_ || !wait_();
    return !ending_;
  }

  /// One try: true when the node is a voter and knows it.
  bool attempt(const std::vector<std::string>& contacts) {
    try {
      const auto leader = find_leader(contacts);
      if (leader == nullptr) return false;
      const auto known = find(*leader);
      if (!known) change(*leader, wire::add_request(id_, address_));
      if (!known || known->role != wire::role::voter) change(*leader, wire::assign_request(id_, wire::role::voter));
      Channel self(address_, patience(one_answer));
      const auto own = find(self);
      return own && own->role == wire::role::voter;
    } catch (const detail::NetworkError&) {
      return false;
    } catch (const detail::Refusal&) {  // another change is under way, or the leader has just gone
      return false;
    } catch (const Error&) {
      return false;
    }
  }

 private:
  Patience patience(std::chrono::seconds time) const { return {interrupter_, interrupter_.clock().now() + time}; }

  /// Looks whether to go on as often as for any other answer. Throws when that did not come.
  void change(Channel& leader, const std::string& request) {
    const auto limit = interrupter_.clock().now() + one_change;
    leader.send(request, patience(one_answer));
    for (;;) {
      try {
        detail::expect<wire::Empty>(leader.receive(patience(one_answer)));
        return;
      } catch (const detail::NetworkError& error) {
        const bool slow = error.how() == detail::NetworkError::kind::timed_out;
        if (!slow || interrupter_.clock().now() >= limit || !go_on()) throw;
      }
    }
  }

  std::unique_ptr<Channel> find_leader(const std::vector<std::string>& contacts) const {
    for (const std::string& contact : contacts) {
      try {
        auto channel = std::make_unique<Channel>(contact, patience(one_answer));
        const std::string leader = channel->ask<wire::Server>(wire::leader_request(), patience(one_answer)).address;
        if (leader == contact) return channel;
        if (!leader.empty()) return std::make_unique<Channel>(leader, patience(one_answer));
      } catch (const std::exception&) {  // one that is no node, or shuts down, says nothing of the others
        continue;
      }
    }
    return nullptr;
  }

  /// This node, as that one knows it.
  std::optional<wire::Member> find(Channel& channel) const {
    const auto servers = channel.ask<wire::Servers>(wire::cluster_request(), patience(one_answer));
    const auto found = std::ranges::find(servers.members, id_, &wire::Member::id);
    if (found == servers.members.end()) return std::nullopt;
    if (found->address != address_)
      throw std::runtime_error("the cluster knows node " + std::to_string(id_) + " at " + found->address +
                               ": start it there, or remove it and choose an id that was never used");
    return *found;
  }

  const std::uint64_t id_;
  const std::string& address_;
  const std::function<bool()>& wait_;
  bool ending_ = false;
  detail::Interrupter interrupter_;  // of which only the clock is used
};

}  // namespace

bool join(std::uint64_t id, const std::string& address, const std::vector<std::string>& contacts,
          const std::function<bool()>& wait) {
  Membership membership(id, address, wait);
  while (!membership.attempt(contacts)) {
    if (!membership.go_on()) return false;
  }
  return true;
}

}  // namespace statehouse::node
