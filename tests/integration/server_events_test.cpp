#include <catch2/catch_test_macros.hpp>
#include <string>

#include "eventually.hpp"
#include "plain_database.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// Documents as server-sent events. The real program, over sockets.

namespace {

using namespace statehouse::test;
using statehouse::testing::TempDir;

const std::string events = "/documents/d/events";

struct Live {
  TempDir data;
  ServerProcess process{{"--data-dir", data.path().string()}};

  void put(const std::string& block, const std::string& context) const {
    RawHttp client(process.port());
    REQUIRE(client.request("PUT", "/documents/" + block, context).status < 300);
  }
};

/// A client that has heard what the document is at first.
struct Follower {
  RawHttp client;
  std::string first;

  explicit Follower(const Live& server) : client(server.process.port()) {
    const RawReply reply = client.request("GET", events);
    REQUIRE(reply.status == 200);
    CHECK(reply.headers.at("content-type") == "text/event-stream");
    CHECK(reply.headers.at("connection") == "close");
    first = client.receive_event();
  }
};

TEST_CASE("events: the document at once, and at each change of it") {
  const Live server;
  Follower follower(server);
  CHECK(follower.first == R"(data: {"document":"d","blocks":[],"next":null})");
  server.put("d/blocks/a", "1");
  CHECK(follower.client.receive_event() ==
        R"(data: {"document":"d","blocks":[{"block":"a","context":1}],"next":null})");
  server.put("another/blocks/a", "1");
  server.put("d/blocks/a", "{\r\n\"x\":\n2}");
  CHECK(
      follower.client.receive_event() ==
      "data: {\"document\":\"d\",\"blocks\":[{\"block\":\"a\",\"context\":{\ndata: \"x\":\ndata: 2}}],\"next\":null}");
  RawHttp client(server.process.port());
  CHECK(client.request("DELETE", "/documents/d").status == 200);
  CHECK(follower.client.receive_event() == follower.first);
}

TEST_CASE("events: a change by another process") {
  const Live server;
  Follower follower(server);
  const PlainDatabase another(server.data.path() / "context.db", patience);
  another.execute("INSERT INTO context VALUES ('d', 'b', '7')");
  CHECK(follower.client.receive_event() ==
        R"(data: {"document":"d","blocks":[{"block":"b","context":7}],"next":null})");
}

TEST_CASE("events: SIGTERM ends them at once, and the server with 0") {
  Live server;
  Follower follower(server);
  server.process.kill(SIGTERM);
  CHECK(follower.client.ends());
  CHECK(server.process.wait(patience) == 0);
  CHECK(server.process.log().find("did not finish in time") == std::string::npos);
}

TEST_CASE("events: HEAD has the header only, other methods are refused") {
  const Live server;
  RawHttp head(server.process.port());
  CHECK(head.request("HEAD", events).headers.at("content-type") == "text/event-stream");
  CHECK(head.ends());
  RawHttp other(server.process.port());
  const RawReply refused = other.request("PUT", events, "1");
  CHECK(refused.status == 405);
  CHECK(refused.headers.at("allow") == "GET, HEAD");
}

}  // namespace
