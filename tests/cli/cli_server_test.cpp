#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "error_of.hpp"
#include "eventually.hpp"
#include "plain_database.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "tool.hpp"

// The tool beside the real server, which is answering requests all the time.

using namespace statehouse::test;

namespace {

/// Puts blocks one after the other on a thread of its own, each acknowledged before the next.
class Client {
 public:
  explicit Client(unsigned short port) : thread_([this, port](const std::stop_token& stop) { work(stop, port); }) {}

  int acknowledged() const { return acknowledged_; }
  int refused() const { return refused_; }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }

 private:
  void work(const std::stop_token& stop, unsigned short port) {
    try {
      RawHttp http(port);
      while (!stop.stop_requested()) {
        const auto began = std::chrono::steady_clock::now();
        const auto status =
            http.request("PUT", "/documents/d/blocks/" + std::to_string(acknowledged_ + 1), "{\"n\": 1}").status;
        // The tool may have a lock and no turn on a busy machine, for longer than the server waits.
        if (status == 503 && std::chrono::steady_clock::now() - began >= std::chrono::seconds(3)) continue;
        ++(status == 201 ? acknowledged_ : refused_);
      }
    } catch (const std::exception&) {
      ++refused_;
    }
  }

  std::atomic<int> acknowledged_{0};
  std::atomic<int> refused_{0};
  std::jthread thread_;
};

}  // namespace

// server   PUT 201  PUT 201  PUT 201  PUT 201  PUT 201 ...   SIGTERM, exit 0
// tool     info   plan   check   backup   run   drop (refused)
TEST_CASE("the tool beside a running server: all work, no request fails, no acknowledged write is missing") {
  const Workshop shop;
  const std::string data = (shop / "data").string();
  ServerProcess server({"--data-dir", data});
  Client client(server.port());
  REQUIRE(eventually([&] { return client.acknowledged() > 20; }));
  const auto tool = [&](ToolProcess::Words words, bool with_source) {
    words.insert(words.end(), {"--data-dir", data, "--name", "context"});
    if (std::ranges::find(words, "--busy-timeout") == words.end()) words.insert(words.end(), {"--busy-timeout", "120"});
    if (with_source) words.insert(words.end(), {"--source", STATEHOUSE_CONTEXT_MIGRATIONS});
    return shop.json(words);
  };
  for (int round = 0; round < 3; ++round) {
    CHECK(tool({"migrate", "info", "--check"}, true).exit_code == 0);
    CHECK(tool({"migrate", "plan"}, true).document().at("planned").as_array().empty());
    CHECK(tool({"migrate", "run"}, true).document().at("applied").as_array().empty());
    CHECK(tool({"db", "check"}, false).exit_code == 0);
    const int before = client.acknowledged();
    CHECK(tool({"db", "backup", "--to", "copy.db", "--overwrite"}, false).exit_code == 0);
    CHECK(PlainDatabase(shop / "copy.db").scalar("SELECT count(*) FROM context") >= before);
    CHECK(tool({"db", "drop", "--yes", "--busy-timeout", "0.05"}, false).kind() == "busy");
  }
  client.stop();
  CHECK(client.refused() == 0);
  server.kill(SIGTERM);
  CHECK(server.wait(patience) == 0);
  CHECK(PlainDatabase(shop / "data/context.db").scalar("SELECT count(*) FROM context") == client.acknowledged());
  CHECK(shop.files("data") == std::vector<std::string>{"context.db"});
}
