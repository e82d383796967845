#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace statehouse::test {

/// A relay to a port of the loopback interface. While it is paused it closes nothing and forwards nothing, as a network
/// that loses all: what is sent waits, and comes when it is resumed.
class Relay {
 public:
  explicit Relay(int port) : to_(port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no relay");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    over_ = true;
    thread_.join();
    for (const auto& [from, to] : peers_) ::close(from);
    ::close(listener_);
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  int port() const noexcept { return port_; }
  void pause(bool paused) noexcept { paused_ = paused; }

 private:
  static sockaddr_in loopback(int port) noexcept {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
  }

  void run() {
    constexpr int look = 5;  // ms, at what others have set
    while (!over_) {
      if (paused_) {
        ::poll(nullptr, 0, look);
        continue;
      }
      std::vector<pollfd> watched{{listener_, POLLIN, 0}};
      for (const auto& [from, to] : peers_) watched.push_back({from, POLLIN, 0});
      if (::poll(watched.data(), watched.size(), look) <= 0) continue;
      if (watched[0].revents != 0) accept();
      for (std::size_t i = 1; i < watched.size() && !paused_; ++i)
        if (watched[i].revents != 0 && peers_.contains(watched[i].fd)) forward(watched[i].fd);
    }
  }

  void accept() {
    const int from = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int to = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(to_);
    if (::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(from);
      ::close(to);
      return;
    }
    const int on = 1;
    for (const int each : {from, to}) ::setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peers_[from] = to;
    peers_[to] = from;
  }

  void forward(int from) {
    std::array<char, 65536> part;
    const ssize_t got = ::recv(from, part.data(), part.size(), 0);
    const int to = peers_.at(from);
    std::string_view rest(part.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    bool gone = got <= 0;
    while (!gone && !rest.empty() && !over_) {
      const ssize_t sent = ::send(to, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
      pollfd writable{to, POLLOUT, 0};
      if (sent < 0 && errno == EAGAIN) ::poll(&writable, 1, 5);  // its reader is slow, or stopped
      gone = sent < 0 && errno != EAGAIN;
    }
    if (!gone) return;
    for (const int each : {from, to}) {
      peers_.erase(each);
      ::close(each);
    }
  }

  const int to_;
  const int listener_;
  int port_ = 0;
  std::map<int, int> peers_;  // both ways
  std::atomic<bool> paused_{false};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

/// Relays between the nodes of one cluster, one for each two and direction. A node calls another one at the address
/// that this one has among its members, so redirect_connect.cpp, which is loaded into each, has it call the relay.
class PausedLinks {
 public:
  explicit PausedLinks(const std::vector<std::string>& addresses) {
    for (std::size_t from = 0; from < addresses.size(); ++from)
      for (std::size_t to = 0; to < addresses.size(); ++to)
        if (from != to) relays_.emplace(std::pair(from, to), std::make_unique<Relay>(port_of(addresses[to])));
    for (const std::string& each : addresses) ports_.push_back(port_of(each));
  }

  /// What a node is to be started with: "PORT=RELAY,PORT=RELAY".
  std::vector<std::string> environment_of(std::size_t node) const {
    std::string redirected;
    for (const auto& [link, relay] : relays_)
      if (link.first == node)
        redirected += std::to_string(ports_[link.second]) + '=' + std::to_string(relay->port()) + ',';
    return {"LD_PRELOAD=" STATEHOUSE_REDIRECT_LIBRARY, "STATEHOUSE_TEST_REDIRECT=" + redirected};
  }
  /// Cuts the node off from the others, both ways, or joins it again. Those who use the cluster reach all.
  void cut(std::size_t node, bool off = true) {
    for (const auto& [link, relay] : relays_)
      if (link.first == node || link.second == node) relay->pause(off);
  }

 private:
  static int port_of(const std::string& address) { return std::stoi(address.substr(address.rfind(':') + 1)); }

  std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<Relay>> relays_;
  std::vector<int> ports_;
};

}  // namespace statehouse::test
