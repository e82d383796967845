#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "temp_dir.hpp"

namespace statehouse::test {

/// A port of the loopback interface that nobody listens on.
inline std::string free_address() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(probe);
  if (!bound) throw std::runtime_error("no free port");
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

/// The real program statehouse-node in a process of its own, which dies with this object and with the test.
class NodeProcess {
 public:
  /// Comes back when the program says that it is ready, or what else is given. Throws std::runtime_error when it does
  /// not within 30 s. `notify_socket` is what systemd would give it.
  explicit NodeProcess(std::vector<std::string> arguments, const std::string& notify_socket = {},
                       std::string_view sign = ": ready\n") {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    arguments.insert(arguments.begin(), STATEHOUSE_NODE_PROGRAM);
    std::vector<char*> argv;
    for (std::string& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (!notify_socket.empty()) ::setenv("NOTIFY_SOCKET", notify_socket.c_str(), 1);
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
    if (pid_ < 0 || !wait_for_output(sign)) {
      end();
      throw std::runtime_error("a node did not say" + std::string(sign) + "but: " + text_);
    }
  }
  ~NodeProcess() { end(); }
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  /// Waits for its end, which must be on its way, and gives what waitpid does.
  int wait() {
    int status = 0;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  /// What it has said until then; false when that does not come within 30 s.
  bool says(std::string_view what) { return wait_for_output(what); }
  const std::string& said() const noexcept { return text_; }

 private:
  bool wait_for_output(std::string_view sign) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    std::array<char, 512> part{};
    while (text_.find(sign) == std::string::npos) {
      pollfd one{output_, POLLIN, 0};
      if (std::chrono::steady_clock::now() > limit) return false;
      if (::poll(&one, 1, 100) <= 0) continue;
      const ssize_t got = ::read(output_, part.data(), part.size());
      if (got <= 0) return false;
      text_.append(part.data(), static_cast<std::size_t>(got));
    }
    return true;
  }
  void end() {
    signal(SIGKILL);
    wait();
    if (output_ >= 0) ::close(output_);
    output_ = -1;
  }

  pid_t pid_ = -1;
  int output_ = -1;
  std::string text_;
};

/// Three nodes on this machine's loopback interface, with directories of their own.
class ClusterFixture {
 public:
  static constexpr std::size_t size = 3;

  ClusterFixture() {
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
                                       "--latency-ms", "100"};  // on a busy machine, too, a leader is heard in time
    if (index > 0) {
      arguments.emplace_back("--join");
      arguments.push_back(addresses_[0]);
    }
    nodes_[index] = std::make_unique<NodeProcess>(std::move(arguments));
  }
  void kill(std::size_t index) { nodes_[index].reset(); }

 private:
  TempDir dir_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<NodeProcess>> nodes_;
};

}  // namespace statehouse::test
