#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/options.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// What a node does for its cluster.
enum class node_role {
  voter,    ///< Has all data and votes: most of the voters must run.
  standby,  ///< Has all data and does not vote.
  spare     ///< Has no data.
};

/// A member of a cluster.
struct ClusterNode {
  std::uint64_t id = 0;               ///< For the life of its data.
  std::string address{};              ///< HOST:PORT, as the nodes know it.
  node_role role = node_role::voter;  ///< As the leader has it; where none is known, as the first node that answers.
  bool leads = false;                 ///< And says so itself.
  std::uint64_t failure_domain = 0;   ///< Nodes of one can be lost together.
  std::uint64_t weight = 0;           ///< Those of less are preferred as voters.
  std::string trouble{};              ///< Why it cannot be asked, or what it knows otherwise; empty when all is well.
};

/// Who belongs to a cluster, for those who look after it: see the page "Cluster" of the guides.
///
/// Effect: each call connects anew, from `ClusterOptions::nodes` to whoever leads, waits for that until `find_leader`
/// is over, and for each answer `dial_timeout`. Changes are made one at a time; one that is made already is none.
/// Thread-safety: full. Executor: blocks the calling thread, and no other. Cancellation: once its `stop` is requested,
/// by any thread, nothing is waited for any more: with `operation_aborted` while a leader is looked for, else as if no
/// answer had come. What `dump` is given may throw.
/// Errors: Error. `errc::unavailable` when there is no leader, or no answer: nothing was changed, where the message
/// does not say otherwise. `errc::outcome_unknown` when no answer came to a change: `nodes` tells.
/// `errc::invalid_option` for what cannot be done to this cluster, with what to do instead. SQLITE_PROTOCOL when
/// something else than a node answers.
class ClusterAdmin {
 public:
  /// Contacts nobody yet. `errc::invalid_option` when there are no nodes, or an address is none.
  explicit ClusterAdmin(ClusterOptions options, std::stop_token stop = {});

  /// All members, each asked for itself, in the order of their ids; also where nobody leads, as long as one answers.
  std::vector<ClusterNode> nodes() const;

  /// Makes the node that runs at `address` a member, or gives the member of that id another role, and waits until the
  /// node itself knows: a majority that counts on a voter who does not know of his vote has no leader. It must run: one
  /// that does not, and votes, counts against the majority.
  void add(std::uint64_t id, const std::string& address, node_role role = node_role::voter) const;
  /// Takes the node out of the cluster; one that leads hands over first. Refused where those that are left and answer
  /// are no majority, as nobody could undo it. Its process goes on, and joins again when it is started to join.
  void remove(std::uint64_t id) const;
  /// Has this voter lead, which takes some milliseconds; transactions that are open end.
  void transfer(std::uint64_t id) const;

  /// Whether the cluster has `ClusterOptions::database`, which to open it would make. No node tells without making a
  /// copy of it in its memory, so one that does not lead is asked first. The copy is not fetched.
  bool has_database() const;
  /// One committed state of `ClusterOptions::database`: gives the bytes of its file, and those of the log that belongs
  /// to it, for which `suffix` is "-wal", to `take`, in pieces that live as long as the call. Beside each other in
  /// files of such names they are a database. The node that leads serves nobody while it copies in its memory. In the
  /// system category with ENOENT where the cluster has no such database.
  void dump(const std::function<void(std::string_view suffix, std::string_view bytes)>& take) const;

 private:
  ClusterOptions options_;
  std::stop_token stop_;
};

}  // namespace statehouse
#pragma GCC visibility pop
