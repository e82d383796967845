#include "cluster/socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>

#include "statehouse/error.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

using std::chrono::milliseconds;

/// Between two looks at the clock and at a stop.
constexpr milliseconds slice{10};
constexpr int highest_port = 65535;

[[noreturn]] void fail(const std::string& what, int error) {
  throw NetworkError(NetworkError::kind::failed, what + std::system_category().message(error));
}

void require_time(const Patience& patience) {
  if (patience.over()) throw NetworkError(NetworkError::kind::timed_out, "no answer in time");
}

/// Never longer than until the next look.
int time_to_wait(const Patience& patience) {
  const auto left = std::chrono::ceil<milliseconds>(patience.until - patience.interrupter.clock().now());
  return static_cast<int>(std::clamp(left, milliseconds(0), slice).count());
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// A name is looked up without a limit other than the resolver's own; a numeric address needs no looking up.
Addresses resolve(const NodeAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int result = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found); result != 0)
    throw NetworkError(NetworkError::kind::failed, std::string("cannot be looked up: ") + ::gai_strerror(result));
  return {found, freeaddrinfo};
}

void set(int descriptor, int level, int option, int value = 1) noexcept {
  ::setsockopt(descriptor, level, option, &value, sizeof value);
}

/// A connection to a machine that is gone, or that something between has forgotten, ends after some ten seconds: its
/// node may well say on another one that it leads.
void end_when_dead(int descriptor) noexcept {
  constexpr int idle = 5;
  constexpr int interval = 2;
  constexpr int probes = 3;
  set(descriptor, SOL_SOCKET, SO_KEEPALIVE);
  set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, interval);
  set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, probes);
  set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, (idle + probes * interval) * 1000);  // for what is not acknowledged
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, is_digit)) return false;
  const int number = std::stoi(std::string(text));
  return number > 0 && number <= highest_port;
}

}  // namespace

NodeAddress::NodeAddress(const std::string& text) {
  const auto colon = text.rfind(':');
  const bool split = colon != std::string::npos;
  host = text.substr(0, split ? colon : 0);
  port = split ? text.substr(colon + 1) : "";
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool ambiguous = !bracketed && host.find(':') != std::string::npos;
  const auto odd = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '[' || c == ']'; };
  if (host.empty() || ambiguous || std::ranges::any_of(host, odd) || !is_port(port))
    throw Error(errc::invalid_option,
                "'" + text + "' is no address of a node: give HOST:PORT, as 10.0.0.1:9001 or [::1]:9001");
}

void pause(Clock::duration time, const Patience& patience) {
  const Clock& clock = patience.interrupter.clock();
  const auto end = std::min(patience.until, clock.now() + time);
  const Patience until_then{patience.interrupter, end};
  while (!until_then.over()) ::poll(nullptr, 0, std::max(1, time_to_wait(until_then)));
}

Socket::Socket(const NodeAddress& address, const Patience& patience) {
  const Addresses found = resolve(address);
  for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
    try {
      connect(each->ai_addr, each->ai_addrlen, each->ai_family, patience);
      return;
    } catch (const NetworkError&) {
      close();
      if (each->ai_next == nullptr) throw;
    }
  }
  throw NetworkError(NetworkError::kind::failed, "has no address");
}

Socket::~Socket() {
  close();
}

void Socket::close() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void Socket::connect(const void* address, std::size_t size, int family, const Patience& patience) {
  descriptor_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) fail("", errno);
  // A request is one segment, and is not to wait for the acknowledgement of the one before.
  set(descriptor_, IPPROTO_TCP, TCP_NODELAY);
  end_when_dead(descriptor_);
  if (::connect(descriptor_, static_cast<const sockaddr*>(address), static_cast<socklen_t>(size)) == 0) return;
  if (errno != EINPROGRESS && errno != EINTR) fail("", errno);
  wait(POLLOUT, patience);
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) fail("", error);
}

void Socket::wait(short events, const Patience& patience) const {
  pollfd one{descriptor_, events, 0};
  for (;;) {
    const int ready = ::poll(&one, 1, time_to_wait(patience));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) fail("", errno);
    require_time(patience);
  }
}

/// A peer that takes what comes, or sends without end, never makes anybody wait: whether to go on is asked each time.
void Socket::send(std::string_view bytes, const Patience& patience) {
  while (!bytes.empty()) {
    if (patience.interrupter.must_stop()) throw NetworkError(NetworkError::kind::timed_out, "stopped");
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      wait(POLLOUT, patience);
    } else if (errno != EINTR) {
      fail("", errno);
    }
  }
  answering_ = false;
}

/// After a request nothing is there yet: a look would be in vain, and so would be a hurried acknowledgement, which goes
/// with the next request. Behind a first piece it must be hurried: a node has Nagle's algorithm on, and would wait for
/// an acknowledgement that the kernel puts off by 40 ms. The kernel forgets it with each receive.
std::size_t Socket::receive(std::span<char> into, const Patience& patience) {
  if (!answering_) wait(POLLIN, patience);
  for (;;) {
    require_time(patience);
    const ssize_t got = ::recv(descriptor_, into.data(), into.size(), 0);
    if (got > 0) {
      answering_ = true;
      return static_cast<std::size_t>(got);
    }
    if (got == 0) throw NetworkError(NetworkError::kind::failed, "the connection was closed");
    if (errno == EAGAIN) {
      if (answering_) set(descriptor_, IPPROTO_TCP, TCP_QUICKACK);
      wait(POLLIN, patience);
    } else if (errno != EINTR) {
      fail("", errno);
    }
  }
}

bool Socket::disturbed() const noexcept {
  pollfd one{descriptor_, POLLIN, 0};
  return ::poll(&one, 1, 0) != 0;
}

}  // namespace statehouse::detail
