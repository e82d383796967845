#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "program.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {

/// Whether somebody may listen on that port of the loopback interface.
inline bool is_free(int port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool bound = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  return bound;
}

/// The first of `count` ports beside each other that nobody listens on. They are below those that Linux gives to
/// connections, so that none takes one before its node does; none is given twice, and other processes begin elsewhere.
inline int free_ports(int count) {
  constexpr int lowest = 10'000;
  constexpr int number = 22'000;
  static int next = static_cast<int>(::getpid() % 1000 * (number / 1000));
  for (int tries = 0; tries < number; ++tries) {
    const int first = lowest + std::exchange(next, (next + count) % (number - count));
    int found = 0;
    while (found < count && is_free(first + found)) ++found;
    if (found == count) return first;
  }
  throw std::runtime_error("no free port");
}

/// Where a node may listen.
inline std::string free_address() {
  return "127.0.0.1:" + std::to_string(free_ports(1));
}

/// The real program statehouse-node.
class NodeProcess : public Program {
 public:
  /// Comes back when the program says that it is ready, or what else is given. Throws std::runtime_error when it does
  /// not.
  explicit NodeProcess(std::vector<std::string> arguments, std::vector<std::string> environment = {},
                       std::string_view sign = ": ready\n")
      : Program(with_program(std::move(arguments)), std::move(environment)) {
    if (!says(sign)) throw std::runtime_error("a node did not say " + std::string(sign) + " but: " + said());
  }

 private:
  static std::vector<std::string> with_program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), STATEHOUSE_NODE_PROGRAM);
    return arguments;
  }
};

/// Three nodes on this machine's loopback interface, with directories of their own.
class ClusterFixture {
 public:
  static constexpr std::size_t size = 3;
  /// What is added to that of a node, all of whose addresses are known.
  using Environment =
      std::function<std::vector<std::string>(const std::vector<std::string>& addresses, std::size_t index)>;

  /// Of the network, as the nodes take it: they elect another leader when they have heard nothing of theirs for 15 of
  /// it. So none of them is replaced on a busy machine, unless a test waits for that and has to be fast.
  explicit ClusterFixture(unsigned latency_ms = 200, Environment environment = {})
      : latency_ms_(latency_ms), environment_(std::move(environment)) {
    for (std::size_t i = 0; i < size; ++i) addresses_.push_back(free_address());
    nodes_.resize(size);
    for (std::size_t i = 0; i < size; ++i) start(i);
  }

  const std::vector<std::string>& addresses() const noexcept { return addresses_; }
  NodeProcess& node(std::size_t index) { return *nodes_[index]; }
  std::size_t index_of(const std::string& address) const {
    for (std::size_t i = 0; i < size; ++i)
      if (addresses_[i] == address) return i;
    throw std::runtime_error(address + " is no node of this cluster");
  }
  /// With the same arguments every time.
  void start(std::size_t index) {
    std::vector<std::string> arguments{"--id",         std::to_string(index + 1),
                                       "--address",    addresses_[index],
                                       "--data-dir",   (dir_ / std::to_string(index + 1)).string(),
                                       "--latency-ms", std::to_string(latency_ms_)};
    if (index > 0) {
      arguments.emplace_back("--join");
      arguments.push_back(addresses_[0]);
    }
    nodes_[index] = std::make_unique<NodeProcess>(
        std::move(arguments), environment_ ? environment_(addresses_, index) : std::vector<std::string>());
  }
  void kill(std::size_t index) { nodes_[index].reset(); }

 private:
  const unsigned latency_ms_;
  const Environment environment_;
  testing::TempDir dir_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<NodeProcess>> nodes_;
};

}  // namespace statehouse::test
