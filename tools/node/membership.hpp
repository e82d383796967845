#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace statehouse::node {

/// This node, as the others know it.
struct Self {
  std::uint64_t id = 0;
  std::string address;
};

/// Makes the node a voter of the cluster that is found by one of `contacts`, if it is none yet, and comes back when the
/// node itself knows. One that was made a standby or a spare since stays what it is.
///
/// Tries again as long as that has not come about and `wait` gives true, which it does after a moment unless the
/// program is to end. False when it did not. `tell` hears why it has not come about, each time that this is another
/// reason, and of a role that is kept. Throws std::runtime_error when the cluster knows this id by another address.
bool join(const Self& self, const std::vector<std::string>& contacts, const std::function<bool()>& wait,
          const std::function<void(const std::string&)>& tell);

/// Has another voter lead, where this node does, so that nobody waits for an election. Gives the address of the new
/// leader; empty when there is nothing to hand over, or nobody who takes it within some seconds.
std::string hand_over(const Self& self, const std::function<bool()>& wait) noexcept;

/// Who leads, as the node at `address` knows: an address; empty for none.
std::string leader_by(const std::string& address) noexcept;

}  // namespace statehouse::node
