#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "service_manager.hpp"
#include "statehouse/db_instances.hpp"

namespace statehouse::server {

/// What the service manager shows of that: "migrating 3/7: context, version 20251201090000".
std::string status_text(const Health& health);

/// How often it is looked at, where the service manager waits so long for a sign of life: twice as often, at least once
/// a second, and never without a pause.
std::chrono::microseconds look_interval(std::optional<std::chrono::microseconds> watchdog);

/// Keeps the service manager informed: that the service starts, and may take its time as long as it says so, which it
/// does while its event loop runs: whether a migration comes on or waits for ever is not seen, but its status tells
/// which one it is; that it is ready; that it lives, which is what the probe /livez says; that it stops. On one strand,
/// but for what says otherwise.
class ServiceStatus {
 public:
  explicit ServiceStatus(const DbInstances& databases) : databases_(databases) {}

  /// Tells what has changed, now and then again, until the execution context ends.
  boost::asio::awaitable<void> keep_telling();
  /// Tells what has changed.
  void tell();
  /// It stops, which takes at most so long. On any thread.
  void stopping(std::chrono::milliseconds at_most) const;

 private:
  const DbInstances& databases_;
  const ServiceManager manager_;
  std::string told_;
  bool ready_ = false;
};

}  // namespace statehouse::server
