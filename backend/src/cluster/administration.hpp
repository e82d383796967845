#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/channel.hpp"
#include "engine/interrupter.hpp"

namespace statehouse::detail {

/// What those who look after a cluster ask of its nodes, and tell the one that leads.
///
/// Thread-safety: one thread at a time, but for `stop`. Errors, where nothing else is said: NetworkError, Refusal, and
/// Error for what is not the protocol; of the channel after any of them, see there.
class Administration {
 public:
  /// `answer` is the longest wait for one answer, zero for none. What takes longer by nature, a change of members, asks
  /// `go_on` each time that so much has passed, and is given up when that gives false.
  Administration(TimeLimit answer, std::function<bool()> go_on);

  std::unique_ptr<Channel> connect(const std::string& address) const;
  /// Asks each of the contacts once who leads, and whoever is named; he has to say so himself, as he may be dead or
  /// deposed. Null when none does: `findings` says what each has said. Throws nothing of the network.
  std::unique_ptr<Channel> find_leader(const std::vector<std::string>& contacts);
  std::string findings() const;

  template <class Answer>
  Answer ask(Channel& channel, std::string_view request) const {
    return channel.ask<Answer>(request, patience());
  }
  /// Whom the node at `address` takes for the leader; empty for none.
  std::string leader_by(const std::string& address) const;
  /// As that node knows them, which need not be the leader.
  std::vector<wire::Member> members(Channel& channel) const;

  /// `request` changes the members. The leader gives a new one the whole database before it answers, so this is waited
  /// for longer; and it never answers when it stops to lead meanwhile.
  void change(Channel& leader, std::string_view request);
  /// What is missing of: there is this member, with this role.
  void make_member(Channel& leader, const wire::Member& wanted);
  /// Whether the node itself knows its role. A majority that counts on a voter who does not know of his vote has no
  /// leader: so that is waited for after a change.
  bool knows_itself(const wire::Member& wanted) const;
  /// Whether the node at `address` answers and, some moments after it was asked to lead, does.
  bool takes_over(Channel& leader, const wire::Member& next);

  const Interrupter& interrupter() const noexcept { return interrupter_; }
  /// Nothing is waited for any more. From any thread.
  void stop() noexcept { interrupter_.request(stop_reason::cancelled); }

 private:
  Patience patience() const;
  std::unique_ptr<Channel> follow(const std::string& contact);

  const TimeLimit answer_;
  const std::function<bool()> go_on_;
  std::map<std::string, std::string> findings_;
  Interrupter interrupter_;
};

/// The member with this id, or null.
const wire::Member* find_member(const std::vector<wire::Member>& members, std::uint64_t id) noexcept;

}  // namespace statehouse::detail
