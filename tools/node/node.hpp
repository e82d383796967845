#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

struct dqlite_node;

namespace statehouse::node {

struct Options {
  std::uint64_t id = 0;
  std::string address;  ///< HOST:PORT, what it listens on and what the others call it.
  std::filesystem::path data_dir;
  unsigned latency_ms = 0;  ///< Of the network between the nodes: 15 of it are an election, 1.5 a heart-beat.
};

/// A node that runs, on threads of its own, from here until it is destroyed. With id 1 and an empty directory it is a
/// cluster of one; any other waits to be added.
///
/// The signals that end the program must be blocked before, or they would go to those threads. Throws
/// std::runtime_error.
class Node {
 public:
  explicit Node(const Options& options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

 private:
  void require(int result, const char* what);

  dqlite_node* node_ = nullptr;
  bool started_ = false;
};

}  // namespace statehouse::node
