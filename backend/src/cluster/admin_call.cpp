#include "cluster/admin_call.hpp"

#include <exception>
#include <utility>

#include "base/deadline.hpp"
#include "cluster/server_code.hpp"

namespace statehouse::detail {
namespace {

std::string list_of(const Members& members) {
  std::string text;
  for (const wire::Member& each : members) text += (text.empty() ? "" : ", ") + std::to_string(each.id);
  return text;
}

}  // namespace

void refuse(const std::string& message) {
  throw Error(errc::invalid_option, message);
}

std::string name_of(const wire::Member& member) {
  return "node " + std::to_string(member.id) + " at " + member.address;
}

Error told(request_kind kind, const std::string& lost) {
  if (kind == request_kind::asks) return {errc::unavailable, "the cluster did not answer: " + lost + ". Try again"};
  return {errc::outcome_unknown,
          "whether the change is made is not known: " + lost + ". Look by 'statehouse cluster status'"};
}

Error told(request_kind kind, const Refusal& refusal) {
  switch (judge(refusal)) {
    case server_verdict::unknown:
    case server_verdict::storage: return told(kind, refusal.what());
    case server_verdict::statement:
      return {make_sqlite_error(static_cast<int>(refusal.code())),
              std::string("the leader refuses: ") + refusal.what()};
    case server_verdict::busy:
      if (kind == request_kind::asks) break;
      return {errc::unavailable, std::string("another change of the members is under way, and nothing was done: ") +
                                     refusal.what() + ". Look by 'statehouse cluster status', and try again"};
    case server_verdict::not_executed: break;
  }
  return {errc::unavailable,
          std::string("the leader has changed, and nothing was done: ") + refusal.what() + ". Try again"};
}

Patience AdminCall::patience(TimeLimit limit) const {
  return {administration_.interrupter(), deadline(now(), limit)};
}

/// A moment; false when the search has taken its time.
bool AdminCall::rest() const {
  const Patience patience{administration_.interrupter(), deadline(begun_, options_.find_leader)};
  pause(between_tries, patience);
  return !patience.over();
}

std::unique_ptr<Channel> AdminCall::leader() {
  begun_ = now();
  do {
    if (auto leader = administration_.find_leader(options_.nodes)) return leader;
  } while (rest());
  if (const stop_reason stopped = administration_.interrupter().reason(); stopped != stop_reason::none)
    throw Error(code_of(stopped), "stopped while the cluster's leader was looked for: " + administration_.findings());
  throw Error(errc::unavailable, "no leader of the cluster was found within " +
                                     std::to_string(options_.find_leader.count()) +
                                     " ms; nothing was changed. See that most of the nodes run and reach each other: " +
                                     administration_.findings());
}

Members AdminCall::members(Channel& channel) {
  return telling(request_kind::asks, [&] { return administration_.members(channel); });
}

const wire::Member& AdminCall::require(const Members& members, std::uint64_t id) const {
  if (const wire::Member* const found = find_member(members, id)) return *found;
  refuse("the cluster has no node " + std::to_string(id) + ", but " + list_of(members));
}

std::string AdminCall::trouble_of_asking(const std::string& address) {
  try {
    administration_.leader_by(address);
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::unique_ptr<Channel> AdminCall::leader_without(std::unique_ptr<Channel> leader, const Members& members,
                                                   const wire::Member& leaving) {
  Members answering;
  std::size_t all = 0;
  for (const wire::Member& each : members) {
    if (each.id == leaving.id || each.role != wire::role::voter) continue;
    ++all;
    if (trouble_of_asking(each.address).empty()) answering.push_back(each);
  }
  if (all == 0)
    refuse(name_of(leaving) + " is the only voter, and a cluster without one is none: add another one first");
  if (answering.size() * 2 <= all)
    refuse("without " + name_of(leaving) + " only " + std::to_string(answering.size()) + " of " + std::to_string(all) +
           " voters answer, which is no majority: start the others, or remove those first that do not run");
  if (leaving.address != leader->address()) return leader;
  hand_over(*leader, answering.front());
  return this->leader();
}

void AdminCall::hand_over(Channel& leader, const wire::Member& next) {
  begun_ = now();
  if (telling(request_kind::changes, [&] { return administration_.takes_over(leader, next); })) return;
  throw Error(errc::unavailable, name_of(next) +
                                     " was told to lead and does not: try once more; if it stays so, see that it is "
                                     "reached by the others, and look by 'statehouse cluster status'");
}

void AdminCall::settle(const wire::Member& member) {
  begun_ = now();
  do {
    try {
      if (administration_.knows_itself(member)) return;
    } catch (const std::exception&) {  // it starts only, or is slow
    }
  } while (rest());
  throw Error(errc::unavailable, name_of(member) +
                                     " is a member now, but does not know of its role yet: see that it runs and is "
                                     "reached by the others, and look by 'statehouse cluster status'");
}

}  // namespace statehouse::detail
