#include "node.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>

extern "C" {
#include <dqlite.h>  // of 1.11 says nothing of C++
}

#include "cluster/socket.hpp"
#include "regexp/function.hpp"
#include "statehouse/error.hpp"
#include "statehouse/options.hpp"

namespace statehouse::node {
namespace {

/// What one node calls another with. Its streams go one way: with Nagle's algorithm, each small message waits for an
/// acknowledgement that the other side puts off by 40 ms.
int connect_without_delay(void*, const char* address, int* descriptor) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  try {
    const detail::NodeAddress parts{address};
    if (::getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found) != 0) return 1;
  } catch (const std::exception&) {  // not ours to throw through a library in C
    return 1;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const int fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, each->ai_addr, each->ai_addrlen) == 0) {
      *descriptor = fd;
      return 0;
    }
    ::close(fd);
  }
  return 1;
}

/// For each connection that the node opens, as the library does it for its own.
int add_regexp(sqlite3* connection, char** message, const sqlite3_api_routines*) {
  try {
    detail::register_regexp(connection, ConnectionOptions{}.regexp_budget);
    return SQLITE_OK;
  } catch (const std::exception& error) {  // not ours to throw through a library in C
    *message = sqlite3_mprintf("%s", error.what());
    return SQLITE_ERROR;
  }
}

}  // namespace

void Node::require(int result, const char* what) {
  if (result == 0) return;
  const char* const reason = node_ != nullptr ? dqlite_node_errmsg(node_) : nullptr;
  throw std::runtime_error(std::string(what) + ": " + (reason != nullptr && *reason != '\0' ? reason : "failed"));
}

Node::Node(const Options& options) {
  try {
    const std::string directory = options.data_dir.string();
    require(sqlite3_auto_extension(reinterpret_cast<void (*)()>(add_regexp)), "REGEXP cannot be registered");
    require(dqlite_node_create(options.id, options.address.c_str(), directory.c_str(), &node_),
            "the node cannot be made");
    require(dqlite_node_set_bind_address(node_, options.address.c_str()), "the address cannot be listened on");
    require(dqlite_node_set_connect_func(node_, connect_without_delay, nullptr), "its connections cannot be set up");
    require(dqlite_node_set_network_latency_ms(node_, options.latency_ms), "the latency cannot be set");
    require(dqlite_node_start(node_), "the node cannot start");
    started_ = true;
  } catch (...) {
    if (node_ != nullptr) dqlite_node_destroy(node_);
    throw;
  }
}

Node::~Node() {
  if (started_) dqlite_node_stop(node_);
  dqlite_node_destroy(node_);
}

}  // namespace statehouse::node
