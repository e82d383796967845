#include "service_status.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace statehouse::server {
namespace {

namespace asio = boost::asio;

/// A service that starts is looked at so often, and may then take that much longer each time.
constexpr std::chrono::seconds look_interval{1};
constexpr std::chrono::seconds longer{30};

/// What is to be told first: a required database with which not all is well, else another one.
const DatabaseHealth* most_telling(const Health& health) {
  const DatabaseHealth* found = nullptr;
  for (const DatabaseHealth& database : health.databases)
    if (database.reason != health_reason::none && (found == nullptr || (database.required && !found->required)))
      found = &database;
  return found;
}

}  // namespace

std::string status_text(const Health& health) {
  if (health.stopping) return "stopping";
  const DatabaseHealth* const told = most_telling(health);
  if (told == nullptr) return health.initialised ? "ready" : "starting";
  if (told->migration)
    return "migrating " + std::to_string(told->migration->index) + '/' + std::to_string(told->migration->total) + ": " +
           told->name + ", version " + std::to_string(told->migration->version);
  const std::string what = told->name + ": " + std::string(to_string(told->reason));
  if (!health.started()) return "starting, " + what;
  return (health.ready() ? "degraded, " : "failing, ") + what;
}

void ServiceStatus::tell() {
  const Health health = databases_.health();
  if (std::string text = status_text(health); text != told_) {
    manager_.status(text);
    told_ = std::move(text);
  }
  if (health.stopping) return;
  if (!ready_ && health.started()) {
    ready_ = true;
    manager_.ready();
  }
  if (!ready_) manager_.extend_timeout(longer);
  if (health.live() && manager_.watchdog()) manager_.alive();
}

asio::awaitable<void> ServiceStatus::keep_telling() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const std::chrono::microseconds usual = look_interval;
  const auto interval = std::min(usual, manager_.watchdog().value_or(2 * usual) / 2);
  for (;;) {
    tell();
    timer.expires_after(interval);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

void ServiceStatus::stopping(std::chrono::milliseconds at_most) const {
  manager_.stopping();
  manager_.status("stopping");
  manager_.extend_timeout(at_most);
}

}  // namespace statehouse::server
