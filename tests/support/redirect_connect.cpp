// Loaded into a node by a test: it calls relays in place of the other nodes (paused_links.hpp).

#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>

namespace {

/// Of STATEHOUSE_TEST_REDIRECT, "PORT=RELAY,PORT=RELAY,".
in_port_t redirected(in_port_t port) {
  const char* const list = std::getenv("STATEHOUSE_TEST_REDIRECT");
  const int wanted = ntohs(port);
  for (const char* at = list; at != nullptr && *at != '\0';) {
    char* end = nullptr;
    const long from = std::strtol(at, &end, 10);
    const long to = std::strtol(end + 1, &end, 10);
    if (from == wanted) return htons(static_cast<in_port_t>(to));
    at = end + 1;
  }
  return port;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int connect(int descriptor, const sockaddr* address, socklen_t size) {
  using Connect = int (*)(int, const sockaddr*, socklen_t);
  static const auto real = reinterpret_cast<Connect>(dlsym(RTLD_NEXT, "connect"));
  if (address->sa_family != AF_INET) return real(descriptor, address, size);
  sockaddr_in other = *reinterpret_cast<const sockaddr_in*>(address);
  other.sin_port = redirected(other.sin_port);
  return real(descriptor, reinterpret_cast<const sockaddr*>(&other), sizeof other);
}
