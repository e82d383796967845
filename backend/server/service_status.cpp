#include "service_status.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace statehouse::server {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds longest_interval{1};
constexpr std::chrono::milliseconds shortest_interval{10};
/// A service that starts may take that much longer each time that it is looked at.
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

std::chrono::microseconds look_interval(std::optional<std::chrono::microseconds> watchdog) {
  const std::chrono::microseconds longest = longest_interval;
  return std::clamp<std::chrono::microseconds>(watchdog.value_or(2 * longest) / 2, shortest_interval, longest);
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
  const auto interval = look_interval(manager_.watchdog());
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
