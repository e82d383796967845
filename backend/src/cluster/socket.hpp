#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "engine/interrupter.hpp"

namespace statehouse::detail {

/// HOST:PORT in its two parts, an IPv6 address in brackets: [::1]:9001. Throws Error with `errc::invalid_option`.
struct NodeAddress {
  explicit NodeAddress(const std::string& text);

  std::string host;  ///< Without brackets.
  std::string port;
};

/// How long the network may be waited for: until the clock says `until`, or what runs has to stop.
struct Patience {
  const Interrupter& interrupter;
  Clock::time_point until;

  bool over() const noexcept { return interrupter.must_stop() || interrupter.clock().now() >= until; }
};

/// The network has failed, or there was no more patience; `what()` says how. Never leaves this room: what it means
/// depends on what was sent.
class NetworkError : public std::runtime_error {
 public:
  enum class kind { failed, timed_out };
  NetworkError(kind how, const std::string& text) : std::runtime_error(text), how_(how) {}
  kind how() const noexcept { return how_; }

 private:
  kind how_;
};

/// Sleeps for `time`, or until patience is over.
void pause(Clock::duration time, const Patience& patience);

/// A TCP connection that never blocks for longer than its caller has patience, and never raises SIGPIPE.
///
/// A stop and a deadline are looked at every few milliseconds, so that no other thread has to touch the descriptor.
/// Thread-safety: one thread at a time.
class Socket {
 public:
  /// Connects to the first of the host's addresses that answers. Throws NetworkError.
  Socket(const NodeAddress& address, const Patience& patience);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// All of it. When it throws, not all of it was sent.
  void send(std::string_view bytes, const Patience& patience);
  /// At least one byte; `NetworkError` also at the end. Gives how many.
  std::size_t receive(std::span<char> into, const Patience& patience);
  /// Whether the peer has sent something or gone, where nothing is expected of it.
  bool disturbed() const noexcept;

 private:
  void connect(const void* address, std::size_t size, int family, const Patience& patience);
  void wait(short events, const Patience& patience) const;
  void close() noexcept;

  int descriptor_ = -1;
  bool answering_ = false;  // something has come since the last request
};

}  // namespace statehouse::detail
