#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace statehouse::node {

/// Makes the node `id`, which runs at `address`, a voter of the cluster that is found by one of `contacts`, if it is
/// none yet, and comes back when the node itself knows: a majority that counts on a voter who does not know of his
/// vote has no leader.
///
/// Tries again as long as no leader is found and `wait` gives true, which it does after a moment unless the program is
/// to end. False when it did not. Throws std::runtime_error when the cluster knows this id by another address.
bool join(std::uint64_t id, const std::string& address, const std::vector<std::string>& contacts,
          const std::function<bool()>& wait);

}  // namespace statehouse::node
