#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "../../backend/server/json_replies.hpp"
#include "eventually.hpp"
#include "locked_database.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/health.hpp"
#include "statehouse/testing/temp_dir.hpp"

// What the example backend tells who probes it: /livez, /readyz, /startupz.

namespace {

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;
namespace json = boost::json;

Health one_database(health_reason reason, bool required = true) {
  return {true, false, {{"context", database_state::ready, required, reason, std::nullopt}}};
}

std::string status_of(const server::HttpResponse& reply) {
  const bool again = !reply.headers.empty() && reply.headers.front().first == "Retry-After";
  CHECK((reply.status == 503) == again);
  return std::to_string(reply.status) + " " + std::string(json::parse(reply.body).at("status").as_string());
}

TEST_CASE("server: each probe answers its own question") {
  using server::live_reply, server::ready_reply, server::started_reply;
  CHECK(status_of(live_reply({})) == "200 ok");
  CHECK(status_of(started_reply({})) == "503 starting");
  CHECK(status_of(ready_reply({})) == "503 starting");
  for (const auto reason : {health_reason::not_opened, health_reason::opening, health_reason::migrating}) {
    CAPTURE(to_string(reason));
    CHECK(status_of(live_reply(one_database(reason))) == "200 ok");
    CHECK(status_of(started_reply(one_database(reason))) == "503 starting");
    CHECK(status_of(ready_reply(one_database(reason))) == "503 starting");
  }
  for (const auto reason : {health_reason::disk_full, health_reason::queue_full, health_reason::no_leader}) {
    CAPTURE(to_string(reason));
    CHECK(status_of(live_reply(one_database(reason))) == "200 ok");
    CHECK(status_of(started_reply(one_database(reason))) == "200 ok");
    CHECK(status_of(ready_reply(one_database(reason))) == "503 failing");
    CHECK(status_of(ready_reply(one_database(reason, false))) == "200 degraded");
  }
  CHECK(status_of(live_reply(one_database(health_reason::file_replaced))) == "503 failing");
  CHECK(status_of(live_reply(one_database(health_reason::sync_failed))) == "503 failing");
  CHECK(status_of(live_reply(one_database(health_reason::file_replaced, false))) == "200 degraded");
  CHECK(status_of(ready_reply(one_database(health_reason::failed))) == "503 failing");
  CHECK(status_of(ready_reply(one_database(health_reason::none))) == "200 ok");
  CHECK(status_of(ready_reply(one_database(health_reason::log_unattended))) == "200 degraded");
  Health stopping = one_database(health_reason::shutting_down);
  stopping.stopping = true;
  CHECK(status_of(ready_reply(stopping)) == "503 stopping");
  CHECK(status_of(live_reply(stopping)) == "200 ok");
}

TEST_CASE("server: a probe names databases and codes") {
  Health health = one_database(health_reason::migrating);
  health.databases[0].state = database_state::opening;
  health.databases[0].migration = {.version = 7, .index = 2, .total = 3};
  CHECK(server::ready_reply(health).body ==
        R"({"status":"starting","checks":[{"name":"context","state":"opening","required":true,"reason":"migrating",)"
        R"("migration":{"version":7,"index":2,"total":3}}]})");
  CHECK(server::ready_reply(one_database(health_reason::none)).body ==
        R"({"status":"ok","checks":[{"name":"context","state":"ready","required":true,"reason":null}]})");
}

TEST_CASE("server: listens before it migrates, tells which migration runs, and refuses requests until that is done") {
  const TempDir data;
  LockedDatabase locked(data / "context.db");
  ServerProcess server({"--data-dir", data.path().string()}, {}, ServerProcess::until::it_listens);
  const auto ask = [&](const std::string& path) { return RawHttp(server.port()).request("GET", path); };
  RawReply migrating;
  CHECK(eventually([&] {  // within the three seconds that it waits for the lock
    migrating = ask("/readyz");
    return migrating.body.find("migrating") != std::string::npos;
  }));
  CHECK(migrating.status == 503);
  CHECK(migrating.headers.at("retry-after") == "1");
  const json::value told = json::parse(migrating.body);
  CHECK(told.at("status").as_string() == "starting");
  CHECK(told.at("checks").at(0).at("migration").at("version").as_int64() == 20251201090000);
  CHECK(told.at("checks").at(0).at("migration").at("total").as_int64() == 1);
  CHECK(ask("/livez").status == 200);
  CHECK(ask("/startupz").status == 503);
  CHECK(ask("/healthz").status == 503);
  const RawReply refused = ask("/documents/d/blocks/b");
  CHECK(refused.status == 503);
  CHECK(refused.body.find("starting") != std::string::npos);
  CHECK(ask("/metrics").status == 200);
  locked.release();
  CHECK(eventually([&] { return ask("/readyz").status == 200; }));
  CHECK(ask("/startupz").status == 200);
  CHECK(ask("/healthz").body == ask("/readyz").body);
  CHECK(ask("/documents/d/blocks/b").status == 404);
}

TEST_CASE("server: a migration that fails is not begun again by those who ask meanwhile, and ends the program") {
  const TempDir data;
  LockedDatabase locked(data / "context.db");  // for longer than the three seconds that the migration waits for it
  ServerProcess server({"--data-dir", data.path().string()}, {}, ServerProcess::until::it_listens);
  std::atomic<bool> over{false};
  std::jthread client([&] {
    while (!over) {
      try {
        RawHttp(server.port()).request("GET", "/documents/d/blocks/b");
      } catch (const std::exception&) {  // it has ended
      }
    }
  });
  CHECK(server.wait(patience) == 1);
  over = true;
  const std::string log = server.log();
  const std::string failed = "opening failed";
  CHECK(log.find("cannot start") != std::string::npos);
  CHECK(log.find(failed) != std::string::npos);
  CHECK(log.find(failed) == log.rfind(failed));
}

TEST_CASE("server: a lost file fails what lives and what is ready, without paths") {
  const TempDir data;
  const ServerProcess server({"--data-dir", data.path().string()});
  std::filesystem::remove(data / "context.db");
  RawHttp client(server.port());
  RawReply live;
  CHECK(eventually([&] { return (live = client.request("GET", "/livez")).status == 503; }));
  CHECK(json::parse(live.body).at("checks").at(0).at("reason").as_string() == "file_replaced");
  CHECK(client.request("GET", "/readyz").status == 503);
  CHECK(client.request("GET", "/startupz").status == 200);
  CHECK(live.body.find('/') == std::string::npos);
}

}  // namespace
