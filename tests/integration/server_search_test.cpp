#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "../../backend/server/context_repository.hpp"
#include "async_fixture.hpp"
#include "migrator_of.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// A search must not be in the way of anything else.

namespace {

using namespace statehouse;
using namespace statehouse::test;
using server::BlockKey;
using server::BlockPage;
using server::ContextRepository;
using statehouse::testing::TempDir;

bool says(const RawReply& reply, const std::string& part) {
  return reply.body.find(part) != std::string::npos;
}

std::string search_for(const std::string& pattern) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string target = "/search?q=";
  for (const char c : pattern) (target += '%') += {digits[c >> 4], digits[c & 15]};
  return target;
}

struct Searched : SteppedApp {
  Searched() : SteppedApp(PoolOptions{.readers = 3}) {
    state->db_instances.add_migrator("context", migrations({"CREATE TABLE context(document_id TEXT, block_id TEXT, "
                                                            "context JSON, PRIMARY KEY(document_id, block_id))"}));
    pool = open("context");
    run(repository.put(key, "{}"));
  }

  auto search() { return spawn(repository.search(pattern, start, 10)); }

  const BlockKey key{"d", "b"};
  const BlockKey start;
  const std::string pattern = ".";
  Pool pool;
  std::atomic<std::size_t> searches{0};
  ContextRepository repository{*state, searches};
};

}  // namespace

// Three readers, and so two searches; nothing runs before the test lets it.
TEST_CASE("server: searches leave one reader to other requests, and further ones are refused") {
  Searched app;
  auto first = app.search(), second = app.search(), third = app.search();
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  CHECK_THROWS_AS(third.get(), server::TooManySearches);

  auto other = app.spawn(app.repository.get(app.key));
  CHECK(app.finish(other) == "{}");
  CHECK(app.finish(first).blocks.size() == 1);
  CHECK(app.finish(second).blocks.size() == 1);
  // Both places are free again, and the third has taken none.
  first = app.search();
  second = app.search();
  CHECK(app.finish(first).blocks.size() == 1);
  CHECK(app.finish(second).blocks.size() == 1);
}

TEST_CASE("server: a search that fails gives its place back") {
  Searched app;
  const std::string invalid = "(";
  for (int i = 0; i < 5; ++i)
    CHECK_THROWS_AS(app.run(app.repository.search(invalid, app.start, 10)), server::InvalidPattern);
  CHECK(app.run(app.repository.search(app.pattern, app.start, 10)).blocks.size() == 1);
}

TEST_CASE("server: patterns that could take long delay neither other requests nor SIGTERM") {
  const TempDir data;
  ServerProcess server({"--data-dir", data.path().string(), "--shutdown-timeout", "3600"});
  RawHttp client(server.port());
  const std::string context = '"' + std::string((1U << 20) - 2, 'a') + '"';
  REQUIRE(client.request("PUT", "/documents/d/blocks/long", context).status == 201);
  REQUIRE(client.request("PUT", "/documents/d/blocks/short", "1").status == 201);

  // Each takes RE2 from seconds to minutes.
  const std::vector<std::string> patterns = {"(?:[ab]{0,1000}){10}c", "a[ab]{5000}c", "(?:a?){1000}a{1000}c",
                                             "(?:a|b|ab|ba){2000}c", "(?:(?:(?:a?){10}){10}){10}c"};
  std::vector<std::unique_ptr<RawHttp>> searching;
  for (int i = 0; i < 4; ++i) {
    for (const std::string& pattern : patterns) {
      searching.push_back(std::make_unique<RawHttp>(server.port()));
      searching.back()->send(RawHttp::text("GET", search_for(pattern)));
    }
  }
  CHECK(client.request("GET", "/documents/d/blocks/short").body == "1");
  for (const auto& search : searching) {
    const RawReply reply = search->receive();
    CAPTURE(reply.body);
    const bool refused = reply.status == 400 && says(reply, "too costly for a text of 1048576 bytes");
    CHECK((refused || (reply.status == 503 && says(reply, "too many searches"))));
  }

  for (const auto& search : searching) search->send(RawHttp::text("GET", search_for(patterns[0])));
  server.kill(SIGTERM);
  CHECK(server.wait(patience) == 0);
}

TEST_CASE("server: the pattern of a search has at most 1024 bytes") {
  const TempDir data;
  const ServerProcess server({"--data-dir", data.path().string()});
  RawHttp client(server.port());
  CHECK(client.request("GET", "/search?q=" + std::string(1024, 'a')).status == 200);
  const RawReply reply = client.request("GET", "/search?q=" + std::string(1025, 'a'));
  CHECK(reply.status == 400);
  CHECK(says(reply, "the pattern is longer than 1024 bytes"));
}
