#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cctype>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "eventually.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// How the example backend starts and stops. The real program, with real signals.

namespace {

using namespace statehouse::test;
using statehouse::testing::TempDir;
using namespace std::chrono_literals;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> on(const TempDir& data, std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--data-dir", data.path().string()});
  return arguments;
}

/// The write lock of the database, held as another program might.
class OtherWriter {
 public:
  explicit OtherWriter(const TempDir& data) : database_((data / "context.db").string(), SQLite::OPEN_READWRITE) {
    database_.exec("BEGIN IMMEDIATE");
  }
  void release() { database_.exec("ROLLBACK"); }

 private:
  SQLite::Database database_;
};

bool writer_is_busy(const ServerProcess& server) {
  RawHttp client(server.port());
  return contains(client.request("GET", "/stats").body, R"("writer":{"connections":1,"in_use":1)");
}

/// How long the server waits for a lock that another program has.
constexpr auto wait_for_a_lock = 3s;

class Stopwatch {
 public:
  bool over(std::chrono::milliseconds limit) const { return std::chrono::steady_clock::now() - began_ >= limit; }

 private:
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

bool refuses_connections(const ServerProcess& server) {
  try {
    RawHttp client(server.port());
    return false;
  } catch (const std::exception&) {
    return true;
  }
}

}  // namespace

TEST_CASE("help and version end with 0, wrong usage with 2 and a sentence") {
  for (const std::string option : {"--help", "--version"}) {
    const auto run = ServerProcess::run({option});
    CHECK(run.exit_code == 0);
    CHECK_FALSE(run.output.empty());
  }
  CHECK(contains(ServerProcess::run({"--help"}).output, "STATEHOUSE_SHUTDOWN_TIMEOUT"));

  const std::vector<std::pair<std::vector<std::string>, std::string>> usages = {
      {{"--address", "localhost"}, "'localhost' is no IP address"},
      {{"--port", "65536"}, "--port"},
      {{"--port", "http"}, "--port"},
      {{"--threads", "0"}, "--threads"},
      {{"--log-level", "loud"}, "--log-level"},
      {{"--shutdown-timeout", "-1"}, "--shutdown-timeout"},
      {{"--dev-prefix", "../x"}, "--dev-prefix"},
      {{"--nonsense"}, "--nonsense"},
      {{"extra"}, "extra"}};
  for (const auto& [arguments, said] : usages) {
    const auto run = ServerProcess::run(arguments);
    CAPTURE(run.output);
    CHECK(run.exit_code == 2);
    CHECK(contains(run.output, said));
  }
}

TEST_CASE("a wrong value is refused with 2 and its name, on the command line and in the environment alike") {
  // What each option may not be; for a directory that shows only when it is used.
  const std::map<std::string, std::vector<std::string>> wrong = {
      {"address", {"localhost", "127.0.0.1:80", "1_0.0.0.1"}},
      {"checkpoint", {"never", "External", "external,own"}},
      {"cluster", {"nowhere", "127.0.0.1:0", "127.0.0.1:9001,"}},
      {"data-dir", {}},
      {"dev-prefix", {"../x", "a/b", "."}},
      {"idle-timeout", {"0", "soon", "1_0", "0x10", "nan", "inf", "5s"}},
      {"log-level", {"loud", "INFO", "2"}},
      {"port", {"http", "65536", "-1", "1_0", "1'0", "0x50", "80 ", "8.0", "1e3", "++1"}},
      {"request-timeout", {"-1", "86401", "1,5", "1_0", "0x1p3"}},
      {"shutdown-timeout", {"-1", "1_0", "0x10", "-nan"}},
      {"tenants", {"yes", "On", "1"}},
      {"threads", {"0", "1025", "two", "1_0", "0x4", "18446744073709551617"}}};
  const std::string help = ServerProcess::run({"--help"}).output;
  std::size_t variables = 0;
  for (auto at = help.find("STATEHOUSE_"); at != std::string::npos; at = help.find("STATEHOUSE_", at + 1)) ++variables;
  CHECK(variables == wrong.size());
  for (const auto& [name, values] : wrong) {
    std::string variable = "STATEHOUSE_" + name;
    std::ranges::transform(variable, variable.begin(),
                           [](unsigned char c) { return c == '-' ? '_' : char(std::toupper(c)); });
    CHECK(contains(help, variable));
    for (const std::string& value : values) {
      CAPTURE(name, value);
      const auto told = ServerProcess::run({"--" + name + "=" + value});
      CHECK(told.exit_code == 2);
      CHECK(contains(told.output, "--" + name));
      const auto inherited = ServerProcess::run({}, {variable + "=" + value});
      CHECK(inherited.exit_code == 2);
      CHECK(contains(inherited.output, variable));
    }
  }
}

TEST_CASE("a variable that is empty, or that the command line overrules, does not count") {
  const TempDir data;
  ServerProcess server(on(data, {"--threads", "01"}),
                       {"STATEHOUSE_PORT=http", "STATEHOUSE_THREADS=0x4",
                        "STATEHOUSE_LOG_LEVEL=", "STATEHOUSE_DEV_PREFIX=", "STATEHOUSE_IDLE_TIMEOUT=+1e1"});
  CHECK(contains(server.log(), "is ready"));
  CHECK(std::filesystem::exists(data / "context.db"));
}

TEST_CASE("what stands in the way of starting is said, exit code 1") {
  const TempDir data;
  SECTION("port in use") {
    const ServerProcess first(on(data));
    const TempDir other;
    const auto run = ServerProcess::run(on(other, {"--port", std::to_string(first.port())}));
    CHECK(run.exit_code == 1);
    CHECK(contains(run.output,
                   "cannot listen on 127.0.0.1 port " + std::to_string(first.port()) + ": Address already in use"));
  }
  SECTION("an address of another machine") {
    const auto run = ServerProcess::run(on(data, {"--port", "0", "--address", "192.0.2.1"}));
    CHECK(run.exit_code == 1);
    CHECK(contains(run.output, "cannot listen on 192.0.2.1 port 0: Cannot assign requested address"));
  }
  SECTION("no data directory") {
    const auto run = ServerProcess::run({"--port", "0", "--data-dir", "/proc/statehouse"});
    CHECK(run.exit_code == 1);
    CHECK(contains(run.output, "/proc/statehouse"));
  }
  SECTION("a database that cannot be migrated") {
    SQLite::Database((data / "context.db").string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("CREATE TABLE context(x)");
    const auto run = ServerProcess::run(on(data, {"--port", "0"}));
    CHECK(run.exit_code == 1);
    CHECK(contains(run.output, "cannot start: "));
  }
}

TEST_CASE("every option comes from the environment too, and the command line wins") {
  const TempDir data;
  ServerProcess server(
      {"--log-level", "debug"},
      {"STATEHOUSE_ADDRESS=127.0.0.1", "STATEHOUSE_PORT=1", "STATEHOUSE_DATA_DIR=" + data.path().string(),
       "STATEHOUSE_DEV_PREFIX=dev", "STATEHOUSE_THREADS=3", "STATEHOUSE_LOG_LEVEL=error",
       "STATEHOUSE_SHUTDOWN_TIMEOUT=5", "STATEHOUSE_REQUEST_TIMEOUT=5", "STATEHOUSE_IDLE_TIMEOUT=5"});
  CHECK(RawHttp(server.port()).request("GET", "/healthz").status == 200);
  CHECK(std::filesystem::exists(data / "dev_context.db"));
  CHECK(contains(server.log(), "port=" + std::to_string(server.port())));
  CHECK(contains(server.log(), "data_dir=" + data.path().string()));
  CHECK(contains(server.log(), "vulnerable_sqlite="));
  CHECK(eventually([&] { return contains(server.log(), "GET /healthz -> 200"); }));
}

TEST_CASE("SIGTERM and SIGINT end it with 0, at once when it is idle") {
  const TempDir data;
  ServerProcess server(on(data, {"--shutdown-timeout", "3600"}));
  RawHttp keep_alive(server.port());
  CHECK(keep_alive.request("PUT", "/documents/d/blocks/b", "1").status == 201);
  RawHttp silent(server.port());
  CHECK(RawHttp(server.port()).request("GET", "/healthz").status == 200);

  server.kill(GENERATE(SIGTERM, SIGINT));
  CHECK(server.wait(patience) == 0);
  CHECK(keep_alive.ends());
  CHECK(silent.ends());
  CHECK(names_in(data.path()) == std::vector<std::string>{"context.db"});
}

// client                               server
// half a PUT
//                       -- TERM -->    stops accepting, waits for the rest
// the other half                       writes, answers, closes, exit 0
TEST_CASE("SIGTERM lets a request that is being received finish") {
  const TempDir data;
  ServerProcess server(on(data, {"--shutdown-timeout", "3600"}));
  RawHttp client(server.port());
  client.send("PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive().status == 100);
  server.kill(SIGTERM);
  CHECK(eventually([&] { return refuses_connections(server); }));
  client.send("1.0" + RawHttp::text("PUT", "/documents/d/blocks/b", "2"));
  const RawReply reply = client.receive();
  CHECK(reply.status == 201);
  CHECK(reply.headers.at("connection") == "close");
  CHECK(client.ends());
  CHECK(server.wait(patience) == 0);

  ServerProcess again(on(data));
  CHECK(RawHttp(again.port()).request("GET", "/documents/d/blocks/b").body == "1.0");
}

// other program       client           server
// takes the write lock
//                     PUT              waits for the lock
//                     -- TERM -->      stops accepting
// gives it back                        writes, answers, closes, exit 0
TEST_CASE("SIGTERM lets a request that is being handled finish") {
  // Where a busy machine has taken longer than the server waits for a lock, the rest says nothing, and it is done
  // again.
  for (bool in_time = false; !in_time;) {
    const TempDir data;
    ServerProcess server(on(data, {"--shutdown-timeout", "3600"}));
    OtherWriter other(data);
    RawHttp client(server.port());
    const Stopwatch waiting;
    client.send(RawHttp::text("PUT", "/documents/d/blocks/b", "1"));
    REQUIRE(eventually([&] { return writer_is_busy(server) || waiting.over(wait_for_a_lock); }));
    if (waiting.over(wait_for_a_lock)) continue;
    server.kill(SIGTERM);
    CHECK(eventually([&] { return refuses_connections(server); }));
    other.release();
    const int status = client.receive().status;
    in_time = !waiting.over(wait_for_a_lock);
    CHECK((status == 201 || (status == 503 && !in_time)));
    CHECK(server.wait(patience) == 0);
  }
}

TEST_CASE("a client that never finishes its request does not keep SIGTERM from ending with 0 in time") {
  // Of a second, a fifth is left for closing the database. Where that passes before the server has had its turn on a
  // busy machine, a longer time must do.
  for (const int seconds : {1, 8, 64}) {
    const TempDir data;
    ServerProcess server(on(data, {"--shutdown-timeout", std::to_string(seconds)}));
    RawHttp client(server.port());
    client.send("PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive().status == 100);
    server.kill(SIGTERM);
    const auto exit_code = server.wait(patience);
    CAPTURE(seconds, server.log());
    CHECK(contains(server.log(), exit_code == 0 ? "closing 1 connections that did not finish in time"
                                                : "could not be closed in time"));
    if (exit_code == 0) return;
  }
  FAIL_CHECK("it has not ended with 0 in any time");
}

// client                               server
// half a PUT
//                       -- TERM -->    waits for the rest, up to half a minute
//                       -- TERM -->    waits for nobody, exit 0
TEST_CASE("a second signal ends the waiting") {
  const TempDir data;
  ServerProcess server(on(data, {"--shutdown-timeout", "3600"}));
  RawHttp client(server.port());
  client.send("PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive().status == 100);
  server.kill(SIGTERM);
  CHECK(eventually([&] { return refuses_connections(server); }));
  server.kill(SIGINT);
  CHECK(server.wait(patience) == 0);
}

TEST_CASE("while another program holds the write lock, writes are 503 and reads go on") {
  const TempDir data;
  ServerProcess server(on(data));
  RawHttp client(server.port());
  CHECK(client.request("PUT", "/documents/d/blocks/b", "1").status == 201);
  OtherWriter other(data);
  RawHttp writer(server.port());
  RawReply refused;
  for (bool seen = false; !seen;) {  // again where a busy machine has shown the wait when it was over only
    const Stopwatch waiting;
    writer.send(RawHttp::text("PUT", "/documents/d/blocks/b", R"("secret")"));
    CHECK(eventually([&] { return (seen = writer_is_busy(server)) || waiting.over(wait_for_a_lock); }));
    CHECK(client.request("GET", "/documents/d/blocks/b").body == "1");
    refused = writer.receive();  // after the busy timeout
    if (refused.status != 503) break;
  }
  CHECK(refused.status == 503);
  CHECK(refused.headers.at("retry-after") == "1");
  CHECK(contains(refused.body, R"("code":"overloaded")"));
  CHECK_FALSE(contains(refused.body, data.path().string()));
  CHECK_FALSE(contains(server.log(), "secret"));
  other.release();
  CHECK(writer.request("PUT", "/documents/d/blocks/b", "2").status == 204);
}
