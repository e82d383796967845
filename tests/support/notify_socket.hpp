#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "eventually.hpp"

namespace statehouse::test {

/// A socket that plays systemd. A name that begins with '@' is abstract.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& name) : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size) != 0) throw std::runtime_error("bind failed");
    const timeval limit{patience.count(), 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~NotifySocket() { ::close(descriptor_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  /// All messages up to one that begins so.
  std::vector<std::string> until(const std::string& last) {
    std::vector<std::string> messages;
    std::array<char, 512> bytes{};
    while (messages.empty() || !messages.back().starts_with(last)) {
      const ssize_t size = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
      if (size < 0) break;
      messages.emplace_back(bytes.data(), static_cast<std::size_t>(size));
    }
    return messages;
  }

 private:
  const int descriptor_;
};

}  // namespace statehouse::test
