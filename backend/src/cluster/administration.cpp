#include "cluster/administration.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/deadline.hpp"
#include "cluster/encoder.hpp"

namespace statehouse::detail {
namespace {

constexpr TimeLimit longest_change{10'000};
constexpr TimeLimit longest_transfer{5'000};

}  // namespace

Administration::Administration(TimeLimit answer, std::function<bool()> go_on)
    : answer_(answer), go_on_(std::move(go_on)), interrupter_(make_steady_clock()) {}

Patience Administration::patience() const {
  return {interrupter_, deadline(interrupter_.clock().now(), answer_)};
}

std::unique_ptr<Channel> Administration::connect(const std::string& address) const {
  return std::make_unique<Channel>(address, patience());
}

std::string Administration::leader_by(const std::string& address) const {
  return ask<wire::Server>(*connect(address), wire::leader_request()).address;
}

std::unique_ptr<Channel> Administration::find_leader(const std::vector<std::string>& contacts) {
  findings_.clear();
  for (const std::string& contact : contacts) {
    if (auto leader = follow(contact)) return leader;
  }
  return nullptr;
}

std::unique_ptr<Channel> Administration::follow(const std::string& contact) {
  std::string node = contact;
  for (int steps = 0; steps < 2; ++steps) {
    std::string& finding = findings_[node];
    try {
      auto channel = connect(node);
      const std::string named = ask<wire::Server>(*channel, wire::leader_request()).address;
      if (named == node) return channel;
      finding = named.empty() ? "knows no leader" : "names " + named;
      if (named.empty()) return nullptr;
      node = named;
    } catch (const std::exception& error) {  // one that is no node, or shuts down, says nothing of the others
      finding = error.what();
      return nullptr;
    }
  }
  return nullptr;
}

std::string Administration::findings() const {
  std::string text;
  for (const auto& [node, finding] : findings_) text += (text.empty() ? "" : ", ") + node + ": " + finding;
  return text;
}

std::vector<wire::Member> Administration::members(Channel& channel) const {
  return ask<wire::Servers>(channel, wire::cluster_request()).members;
}

void Administration::change(Channel& leader, std::string_view request) {
  const auto limit = deadline(interrupter_.clock().now(), longest_change);
  leader.send(request, patience());
  for (;;) {
    try {
      expect<wire::Empty>(leader.receive(patience()));
      return;
    } catch (const NetworkError& error) {
      const bool slow = error.how() == NetworkError::kind::timed_out;
      if (!slow || interrupter_.clock().now() >= limit || !go_on_()) throw;
    }
  }
}

void Administration::make_member(Channel& leader, const wire::Member& wanted) {
  const auto known_members = members(leader);
  const wire::Member* const known = find_member(known_members, wanted.id);
  if (known == nullptr) change(leader, wire::add_request(wanted.id, wanted.address));
  const wire::role role = known == nullptr ? wire::role::spare : known->role;  // what a new one is
  if (role != wanted.role) change(leader, wire::assign_request(wanted.id, wanted.role));
}

bool Administration::knows_itself(const wire::Member& wanted) const {
  const auto own_members = members(*connect(wanted.address));
  const wire::Member* const self = find_member(own_members, wanted.id);
  return self != nullptr && self->role == wanted.role;
}

bool Administration::takes_over(Channel& leader, const wire::Member& next) {
  const std::string before = leader_by(next.address);  // one that is down leads nobody, and would be waited for
  if (before.empty()) return false;
  ask<wire::Empty>(leader, wire::transfer_request(next.id));
  const auto limit = deadline(interrupter_.clock().now(), longest_transfer);
  while (leader_by(next.address) != next.address) {
    if (interrupter_.clock().now() >= limit || !go_on_()) return false;
  }
  return true;
}

const wire::Member* find_member(const std::vector<wire::Member>& members, std::uint64_t id) noexcept {
  const auto found = std::ranges::find(members, id, &wire::Member::id);
  return found == members.end() ? nullptr : &*found;
}

}  // namespace statehouse::detail
