#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "../../backend/server/service_status.hpp"
#include "locked_database.hpp"
#include "notify_socket.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// What the example backend tells systemd, which a socket of the test plays.

namespace {

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;
namespace fs = std::filesystem;

Health with(health_reason reason, bool required = true) {
  return {true, false, {{"context", database_state::ready, required, reason, std::nullopt}}};
}

std::size_t count(const std::vector<std::string>& messages, const std::string& wanted) {
  return static_cast<std::size_t>(std::ranges::count(messages, wanted));
}

TEST_CASE("server: its status for systemd says in a line what it does, and first what is the matter") {
  using server::status_text;
  CHECK(status_text({}) == "starting");
  CHECK(status_text(with(health_reason::opening)) == "starting, context: opening");
  Health health = with(health_reason::migrating);
  health.databases[0].migration = {.version = 7, .index = 3, .total = 7};
  CHECK(status_text(health) == "migrating 3/7: context, version 7");
  CHECK(status_text(with(health_reason::none)) == "ready");
  CHECK(status_text(with(health_reason::disk_full)) == "failing, context: disk_full");
  CHECK(status_text(with(health_reason::disk_full, false)) == "degraded, context: disk_full");
  health = with(health_reason::queue_full, false);
  health.databases.push_back({"ledger", database_state::ready, true, health_reason::disk_full, std::nullopt});
  CHECK(status_text(health) == "failing, ledger: disk_full");
  health.stopping = true;
  CHECK(status_text(health) == "stopping");
}

TEST_CASE("server: tells systemd that it migrates and may take longer, that it is ready, and that it stops") {
  const TempDir dir;
  const std::string name = (dir / "notify").string();
  NotifySocket systemd(name);
  LockedDatabase locked(dir / "context.db");
  ServerProcess server({"--data-dir", dir.path().string(), "--shutdown-timeout", "7"}, {"NOTIFY_SOCKET=" + name},
                       ServerProcess::until::it_listens);
  auto messages = systemd.until("STATUS=migrating 1/1");  // within the three seconds that it waits for the lock
  CHECK(messages.back() == "STATUS=migrating 1/1: context, version 20251201090000");
  CHECK(count(messages, "READY=1") == 0);
  CHECK(systemd.until("EXTEND_TIMEOUT_USEC=").back() == "EXTEND_TIMEOUT_USEC=30000000");
  locked.release();
  messages = systemd.until("READY=1");
  CHECK(count(messages, "STATUS=ready") == 1);
  server.kill(SIGTERM);
  messages = systemd.until("EXTEND_TIMEOUT_USEC=");
  CHECK(count(messages, "STOPPING=1") == 1);
  CHECK(count(messages, "STATUS=stopping") >= 1);
  CHECK(messages.back() == "EXTEND_TIMEOUT_USEC=7000000");
  CHECK(count(messages, "WATCHDOG=1") == 0);  // nobody has asked for it
  CHECK(server.wait(patience) == 0);
}

TEST_CASE("server: says that it lives when systemd watches it, and no more when only a restart helps") {
  const TempDir dir;
  const std::string name = "@" + (dir / "abstract").string();
  NotifySocket systemd(name);
  ServerProcess server({"--data-dir", dir.path().string()}, {"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=200000"});
  for (int i = 0; i < 3; ++i) CHECK(systemd.until("WATCHDOG=1").back() == "WATCHDOG=1");
  fs::rename(dir / "context.db", dir / "elsewhere.db");
  const auto messages = systemd.until("STATUS=failing");
  CHECK(messages.back() == "STATUS=failing, context: file_replaced");
  // What comes next is about the end: it has said nothing of being alive.
  server.kill(SIGTERM);
  CHECK(count(systemd.until("STOPPING=1"), "WATCHDOG=1") == 0);
}

TEST_CASE("server: looks at itself twice as often as its watchdog, once a second at least, and with a pause always") {
  using namespace std::chrono_literals;
  using server::look_interval;
  CHECK(look_interval(std::nullopt) == 1s);
  CHECK(look_interval(30s) == 1s);
  CHECK(look_interval(400ms) == 200ms);
  CHECK(look_interval(1us) > 0us);
}

TEST_CASE("server: a watchdog that is meant for the process that has started it is none of its") {
  const TempDir dir;
  const std::string name = (dir / "notify").string();
  NotifySocket systemd(name);
  ServerProcess server({"--data-dir", dir.path().string()},
                       {"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=1000", "WATCHDOG_PID=" + std::to_string(::getpid())});
  systemd.until("READY=1");
  server.kill(SIGTERM);
  CHECK(count(systemd.until("STOPPING=1"), "WATCHDOG=1") == 0);
  CHECK(server.wait(patience) == 0);
}

}  // namespace
