#pragma once

#include <string>
#include <string_view>

namespace statehouse::node {

/// Tells systemd how this service is doing, by the datagrams of sd_notify(3): where NOTIFY_SOCKET names a socket, a
/// path or an abstract name that begins with '@'; else nothing. A message that cannot be sent is lost.
class ServiceManager {
 public:
  /// Reads NOTIFY_SOCKET.
  ServiceManager();

  /// What it does now, in one line.
  void status(std::string_view text) const noexcept;
  /// It serves.
  void ready() const noexcept { send("READY=1"); }
  /// It has begun to end.
  void stopping() const noexcept { send("STOPPING=1"); }

 private:
  void send(std::string_view message) const noexcept;

  std::string socket_;
};

}  // namespace statehouse::node
