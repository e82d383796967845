#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace statehouse {

/// Tells systemd how this service is doing, by the datagrams of sd_notify(3): where NOTIFY_SOCKET names a socket, a
/// path or an abstract name that begins with '@'; else nothing. A message that cannot be sent is lost.
class ServiceManager {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  ServiceManager();

  /// What it does now, in one line.
  void status(std::string_view text) const noexcept;
  /// It serves.
  void ready() const noexcept { send("READY=1"); }
  /// It has begun to end.
  void stopping() const noexcept { send("STOPPING=1"); }
  /// It still starts, or ends: that may take so long from now, whatever the unit says. Until the start is over, or the
  /// end, this is to be said again before that time is.
  void extend_timeout(std::chrono::microseconds by) const noexcept;
  /// It lives. Without this for as long as `watchdog`, systemd takes a service that was ready for hung.
  void alive() const noexcept { send("WATCHDOG=1"); }
  /// None when nobody watches this process.
  std::optional<std::chrono::microseconds> watchdog() const noexcept { return watchdog_; }

 private:
  void send(std::string_view message) const noexcept;

  std::string socket_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace statehouse
