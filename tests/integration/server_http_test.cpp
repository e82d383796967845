#include <sys/resource.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <chrono>
#include <filesystem>
#include <list>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// What the example backend answers to everything a client may send. The real program, over sockets.

namespace {

using namespace statehouse::test;
using statehouse::testing::TempDir;
using namespace std::chrono_literals;
namespace json = boost::json;

/// A server on a fresh directory, and one connection to it.
struct Server {
  explicit Server(std::vector<std::string> arguments = {}) : process(with_directory(std::move(arguments))) {}

  RawReply request(const std::string& method, const std::string& target, const std::string& body = {},
                   const std::string& headers = {}) {
    RawHttp client(process.port());
    return client.request(method, target, body, headers);
  }

  TempDir data;
  ServerProcess process;

 private:
  std::vector<std::string> with_directory(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--data-dir", data.path().string()});
    return arguments;
  }
};

std::string error_code(const RawReply& reply) {
  CAPTURE(reply.status, reply.body);
  REQUIRE(reply.headers.at("content-type") == "application/json");
  const json::value value = json::parse(reply.body);
  REQUIRE_FALSE(value.at("error").at("message").as_string().empty());
  return std::string(value.at("error").at("code").as_string());
}

std::vector<std::string> block_ids(const json::value& reply) {
  std::vector<std::string> ids;
  for (const auto& block : reply.at("blocks").as_array()) ids.emplace_back(block.at("block").as_string());
  return ids;
}

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// A JSON text of exactly `size` bytes.
std::string json_text(std::size_t size) {
  return '"' + std::string(size - 2, 'x') + '"';
}

}  // namespace

/// Tries again where a connection was closed: a client on a busy machine may not have its turn within the server's
/// limits.
template <class Attempt>
bool succeeds(Attempt attempt) {
  return eventually([&] {
    try {
      return attempt();
    } catch (const std::exception&) {
      return false;
    }
  });
}

TEST_CASE("a block is created, replaced, read and deleted") {
  Server server;
  RawHttp client(server.process.port());
  const std::string target = "/documents/runbook/blocks/1";

  CHECK(error_code(client.request("GET", target)) == "not_found");
  CHECK(client.request("PUT", target, R"({"a": 1})").status == 201);
  const RawReply replaced = client.request("PUT", target, R"({"a": 2})");
  CHECK(replaced.status == 204);
  CHECK_FALSE(replaced.headers.contains("content-length"));

  const RawReply read = client.request("GET", target);
  CHECK(read.status == 200);
  CHECK(read.headers.at("content-type") == "application/json");
  CHECK(read.headers.contains("date"));
  CHECK(read.body == R"({"a": 2})");

  CHECK(client.request("DELETE", target).status == 204);
  const RawReply again = client.request("DELETE", target);
  CHECK(again.status == 404);
  CHECK(error_code(again) == "not_found");
}

TEST_CASE("a context comes back byte for byte") {
  Server server;
  RawHttp client(server.process.port());
  const std::vector<std::string> texts = {"1.0",
                                          " 1.50\t",
                                          "1e5",
                                          "-0",
                                          "0",
                                          "12345678901234567890123",
                                          "0.1e-400",
                                          "null",
                                          "true",
                                          "\"\"",
                                          "\"1.0\"",
                                          "[]",
                                          "{}",
                                          "\r\n{ }\n",
                                          R"({"k": 1, "k": 2})",
                                          R"(["\u0000", "\ud83d\ude00", "é", "漢"])",
                                          "[1.0,1,1e0]",
                                          std::string(100, '[') + std::string(100, ']'),
                                          json_text(mebibyte)};
  for (const std::string& text : texts) {
    CAPTURE(text.substr(0, 100));
    CHECK(client.request("PUT", "/documents/d/blocks/b", text).status < 300);
    CHECK(client.request("GET", "/documents/d/blocks/b").body == text);
  }
}

TEST_CASE("whatever the type of the content is called, it has to be JSON") {
  Server server;
  for (const std::string type : {"application/json", "application/x-www-form-urlencoded", "text/plain; charset=latin1"})
    CHECK(server.request("PUT", "/documents/d/blocks/b", "{}", "Content-Type: " + type + "\r\n").status < 300);
}

TEST_CASE("what is no JSON is refused and nothing is stored") {
  Server server;
  RawHttp client(server.process.port());
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "{",
                                          "{]",
                                          "[1,]",
                                          "{'a': 1}",
                                          "{} {}",
                                          "NaN",
                                          "Infinity",
                                          "01",
                                          "1.",
                                          "+1",
                                          "tru",
                                          "\"\n\"",
                                          "\"\\x\"",
                                          "\"\xff\"",
                                          "\"\xc3\"",
                                          "\"\\ud800\"",
                                          "// comment\n1",
                                          "\xef\xbb\xbf{}",
                                          std::string("{}\0", 3),
                                          std::string(101, '[') + std::string(101, ']'),
                                          std::string(mebibyte, '[')};
  for (const std::string& text : texts) {
    CAPTURE(text.substr(0, 100));
    const RawReply reply = client.request("PUT", "/documents/d/blocks/b", text);
    CHECK(reply.status == 400);
    CHECK(error_code(reply) == "bad_json");
  }
  CHECK(client.request("GET", "/documents/d").status == 404);
}

TEST_CASE("ids are percent-decoded, any text of 1 to 256 bytes") {
  Server server;
  RawHttp client(server.process.port());
  for (const std::string id :
       {"a%2Fb", "%2e%2e", "a%20b", "a+b", "%C3%A9", "%f0%9f%98%80", "'%22;--", "%25zz", "%0A"}) {
    CAPTURE(id);
    CHECK(client.request("PUT", "/documents/" + id + "/blocks/" + id, "1").status == 201);
    CHECK(client.request("GET", "/documents/" + id + "/blocks/" + id).body == "1");
  }
  CHECK(client.request("GET", "/documents/%61%2Fb/blocks/a%2fb").body == "1");
  CHECK(client.request("PUT", "/documents/" + std::string(256, 'd') + "/blocks/b", "1").status == 201);
  CHECK(client.request("GET", "http://localhost/documents/a%2Fb/blocks/a%2Fb").body == "1");
}

TEST_CASE("bad escapes, NUL, invalid UTF-8 and ids that are empty or too long are 400") {
  Server server;
  RawHttp client(server.process.port());
  for (const std::string target :
       {"/documents/%zz", "/documents/%", "/documents/%4", "/documents/a%00b", "/documents/%ff", "/documents/%c3",
        "/documents/%ed%a0%80", "/documents/%c0%80", "/search?q=%zz", "/search?q=%ff", "/search?%00=1", "documents",
        "*", "/a#b", "/a|b", "http://[/a", "http://localhost/a#b", "http://localhost/?#b"}) {
    CAPTURE(target);
    const RawReply reply = client.request("GET", target);
    CHECK(reply.status == 400);
    CHECK(error_code(reply) == "bad_target");
  }
  for (const std::string& target :
       {std::string("/documents/"), std::string("/documents//blocks/b"), std::string("/documents/d/blocks/"),
        "/documents/" + std::string(257, 'd'), "/documents/d/blocks/" + std::string(257, 'b')}) {
    CAPTURE(target);
    CHECK(error_code(client.request("GET", target)) == "bad_id");
  }
}

TEST_CASE("a document lists its blocks in order, and is deleted as a whole") {
  Server server;
  RawHttp client(server.process.port());
  for (const std::string block : {"b2", "b10", "a", "%C3%A9"})
    client.request("PUT", "/documents/d%221/blocks/" + block, R"({"n": 1.0})");
  client.request("PUT", "/documents/other/blocks/b", "1");

  const RawReply reply = client.request("GET", "/documents/d%221");
  CHECK(reply.body == R"({"document":"d\"1","blocks":[{"block":"a","context":{"n": 1.0}},)"
                      R"({"block":"b10","context":{"n": 1.0}},{"block":"b2","context":{"n": 1.0}},)"
                      "{\"block\":\"é\",\"context\":{\"n\": 1.0}}],\"next\":null}");

  CHECK(client.request("DELETE", "/documents/d%221").body == R"({"deleted":4})");
  CHECK(error_code(client.request("DELETE", "/documents/d%221")) == "not_found");
  CHECK(error_code(client.request("GET", "/documents/d%221")) == "not_found");
  CHECK(client.request("GET", "/documents/other/blocks/b").status == 200);
}

TEST_CASE("a reply is bounded, what does not fit comes with the next page") {
  Server server;
  RawHttp client(server.process.port());
  for (int i = 0; i < 10; ++i)
    REQUIRE(client.request("PUT", "/documents/big/blocks/" + std::to_string(i), json_text(mebibyte)).status == 201);

  const std::string path = GENERATE(as<std::string>(), "/documents/big?", "/search?q=x&");
  CAPTURE(path);
  const json::value first = json::parse(client.request("GET", path).body);
  CHECK(block_ids(first) == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7"});
  const std::string next(first.at("next").as_string());
  const json::value second = json::parse(client.request("GET", path + "after=" + next).body);
  CHECK(block_ids(second) == std::vector<std::string>{"8", "9"});
  CHECK(second.at("next").is_null());
}

TEST_CASE("search finds contexts by regular expression, page by page") {
  Server server;
  RawHttp client(server.process.port());
  for (int i = 0; i < 60; ++i)
    client.request("PUT", "/documents/d" + std::to_string(i % 2) + "/blocks/" + std::to_string(100 + i),
                   R"({"host": "web)" + std::to_string(i) + R"("})");
  client.request("PUT", "/documents/n/blocks/n", "4711");

  const json::value some = json::parse(client.request("GET", "/search?q=web%5B12%5D%22").body);
  CHECK(json::serialize(some) == R"({"blocks":[{"document":"d0","block":"102","context":{"host":"web2"}},)"
                                 R"({"document":"d1","block":"101","context":{"host":"web1"}}],"next":null})");
  CHECK(block_ids(json::parse(client.request("GET", "/search?q=%5E4%5Cd%7B3%7D%24").body)) ==
        std::vector<std::string>{"n"});
  CHECK(block_ids(json::parse(client.request("GET", "/search?q=nowhere").body)).empty());
  CHECK(block_ids(json::parse(client.request("GET", "/search?q=web").body)).size() == 50);

  std::vector<std::string> all;
  std::string after;
  for (int pages = 1;; ++pages) {
    const json::value page = json::parse(client.request("GET", "/search?limit=25&q=host%22:+%22web" + after).body);
    for (std::string& id : block_ids(page)) all.push_back(std::move(id));
    if (page.at("next").is_null()) {
      CHECK(pages == 3);
      break;
    }
    after = "&after=" + std::string(page.at("next").as_string());
  }
  CHECK(all.size() == 60);
  CHECK(all.front() == "100");
  CHECK(all.back() == "159");
}

TEST_CASE("search says what is wrong with its parameters") {
  Server server;
  RawHttp client(server.process.port());
  const RawReply invalid = client.request("GET", "/search?q=a(b");  // found though there is no row to match
  CHECK(error_code(invalid) == "bad_pattern");
  CHECK(invalid.body.find("'a(b'") != std::string::npos);
  CHECK(invalid.body.find("SELECT") == std::string::npos);
  for (const std::string query : {"", "?", "?p=x", "?q=x&limit=0", "?q=x&limit=201", "?q=x&limit=-1", "?q=x&limit=1x",
                                  "?q=x&limit=", "?q=x&limit=99999999999999999999", "?q=x&after=", "?q=x&after=zz",
                                  "?q=x&after=61", "?q=x&after=6"}) {
    CAPTURE(query);
    const RawReply reply = client.request("GET", "/search" + query);
    CHECK(reply.status == 400);
    CHECK(error_code(reply) == "bad_parameter");
  }
}

TEST_CASE("unknown paths are 404, and other methods on known ones 405 with Allow") {
  Server server;
  RawHttp client(server.process.port());
  for (const std::string target :
       {"/", "/documents", "/document/d", "/documents/d/", "/documents/d/blocks", "/documents/d/blocks/b/c",
        "/documents/d/block/b", "//documents/d", "/healthz/", "/STATS"}) {
    CAPTURE(target);
    const RawReply reply = client.request("GET", target);
    CHECK(reply.status == 404);
    CHECK(error_code(reply) == "not_found");
  }
  const std::vector<std::pair<std::string, std::string>> allowed = {{"/documents/d/blocks/b", "GET, HEAD, PUT, DELETE"},
                                                                    {"/documents/d", "GET, HEAD, DELETE"},
                                                                    {"/search?q=x", "GET, HEAD"},
                                                                    {"/healthz", "GET, HEAD"},
                                                                    {"/livez", "GET, HEAD"},
                                                                    {"/metrics", "GET, HEAD"},
                                                                    {"/readyz", "GET, HEAD"},
                                                                    {"/startupz", "GET, HEAD"},
                                                                    {"/stats", "GET, HEAD"}};
  for (const auto& [target, methods] : allowed) {
    for (const std::string method : {"POST", "PATCH", "OPTIONS", "TRACE", "BREW", "get"}) {
      CAPTURE(target, method);
      const RawReply reply = client.request(method, target);
      CHECK(reply.status == 405);
      CHECK(reply.headers.at("allow") == methods);
      CHECK(error_code(reply) == "method_not_allowed");
    }
  }
}

TEST_CASE("HEAD answers like GET, without the body") {
  Server server;
  RawHttp client(server.process.port());
  client.request("PUT", "/documents/d/blocks/b", R"({"a": 1})");
  for (const std::string target :
       {"/documents/d/blocks/b", "/documents/d", "/search?q=a", "/documents/none", "/none"}) {
    CAPTURE(target);
    const RawReply get = client.request("GET", target);
    const RawReply head = client.request("HEAD", target);
    CHECK(head.status == get.status);
    CHECK(head.headers.at("content-length") == get.headers.at("content-length"));
  }
}

TEST_CASE("health and statistics are JSON, without paths") {
  Server server;
  RawHttp client(server.process.port());
  client.request("PUT", "/documents/d/blocks/b", "1");

  const RawReply health = client.request("GET", "/healthz");
  CHECK(health.status == 200);
  const json::value healthy = json::parse(health.body);
  CHECK(healthy.at("status").as_string() == "ok");
  CHECK(healthy.at("checks").at(0).at("name").as_string() == "context");
  CHECK(healthy.at("checks").at(0).at("state").as_string() == "ready");
  CHECK(healthy.at("checks").at(0).at("reason").is_null());

  const RawReply stats = client.request("GET", "/stats");
  CHECK(stats.status == 200);
  const json::value told = json::parse(stats.body);
  const json::value& database = told.at("databases").at(0);
  CHECK(database.at("name").as_string() == "context");
  CHECK(database.at("state").as_string() == "ready");
  CHECK(database.at("last_error").is_null());
  CHECK(database.at("wal_bytes").as_int64() > 0);
  CHECK(database.at("queue_length").as_int64() == 0);
  CHECK(database.at("oldest_lease_ms").as_int64() == 0);
  CHECK(database.at("schema_version").as_int64() > 0);
  CHECK(database.at("vulnerable_sqlite").is_bool());
  CHECK(database.at("writer").at("completed").as_int64() > 0);
  CHECK(stats.body.find(server.data.path().string()) == std::string::npos);
}

TEST_CASE("when the database file is lost, health and requests say so, without paths") {
  Server server;
  RawHttp client(server.process.port());
  std::filesystem::remove(server.data / "context.db");
  RawReply health;
  CHECK(eventually([&] { return (health = client.request("GET", "/healthz")).status == 503; }));
  CHECK(json::parse(health.body).at("status").as_string() == "failing");
  CHECK(json::parse(health.body).at("checks").at(0).at("reason").as_string() == "file_replaced");
  const RawReply stats = client.request("GET", "/stats");
  CHECK_FALSE(json::parse(stats.body).at("databases").at(0).at("last_error").is_null());

  const RawReply put = client.request("PUT", "/documents/d/blocks/b", "1");
  CHECK(put.status == 500);
  CHECK(error_code(put) == "internal");
  CHECK(put.body.find(server.data.path().string()) == std::string::npos);
  CHECK(put.body.find("context.db") == std::string::npos);
}

TEST_CASE("a body over 1 MiB is refused before it is read") {
  Server server;
  SECTION("announced") {
    RawHttp client(server.process.port());
    client.send("PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n");
    const RawReply reply = client.receive();
    CHECK(reply.status == 413);
    CHECK(error_code(reply) == "body_too_large");
    CHECK(reply.headers.at("connection") == "close");
    CHECK(client.ends());
  }
  SECTION("announced, and not even sent after 'Expect: 100-continue'") {
    const RawReply reply =
        server.request("PUT", "/documents/d/blocks/b", "", "Content-Length: 99999999999\r\nExpect: 100-continue\r\n");
    CHECK(reply.status == 413);
  }
  // For a second the server throws away what comes after its answer. A client that a busy machine keeps from reading
  // for longer may lose it.
  const auto answers_413 = [](auto ask) { return succeeds([&] { return ask().status == 413; }); };
  SECTION("sent all the same: the answer arrives") {
    for (const std::size_t size : {mebibyte + 1, 4 * mebibyte})
      CHECK(answers_413([&] { return server.request("PUT", "/documents/d/blocks/b", json_text(size)); }));
  }
  SECTION("in chunks, without an end") {
    const std::string chunk = "10000\r\n" + std::string(65536, ' ') + "\r\n";
    CHECK(answers_413([&] {
      RawHttp client(server.process.port());
      client.send("PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (int i = 0; i < 17; ++i) client.send(chunk);
      return client.receive();
    }));
  }
  SECTION("with other methods too") {
    CHECK(answers_413([&] { return server.request("GET", "/healthz", std::string(mebibyte + 1, 'x')); }));
  }
  CHECK(server.request("GET", "/documents/d").status == 404);
}

TEST_CASE("chunked bodies are put together") {
  Server server;
  RawHttp client(server.process.port());
  client.send(
      "PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1;x=y\r\n[\r\n5\r\n1.0, \r\n2\r\n2]\r\n0\r\nTrailer: x\r\n\r\n");
  CHECK(client.receive().status == 201);
  CHECK(client.request("GET", "/documents/d/blocks/b").body == "[1.0, 2]");
}

TEST_CASE("a header over 16 KiB is 431") {
  Server server;
  const std::string line = "X-Filler: " + std::string(1000, 'x') + "\r\n";
  std::string lines;
  for (int i = 0; i < 15; ++i) lines += line;
  CHECK(server.request("GET", "/healthz", "", lines).status == 200);
  const RawReply many = server.request("GET", "/healthz", "", lines + lines + lines);
  CHECK(many.status == 431);
  CHECK(error_code(many) == "header_too_large");
  CHECK(server.request("GET", "/" + std::string(20'000, 'x')).status == 431);

  RawHttp endless(server.process.port());
  endless.send("GET / HTTP/1.1\r\n");
  while (endless.send(line)) {
  }
  SUCCEED("the server stopped reading");
}

TEST_CASE("what is no HTTP is answered 400 or not at all, and does no harm") {
  Server server;
  for (const std::string bytes :
       {"hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\x16\x03\x01\x02\x00\r\n\r\n", "PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        "PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
    CAPTURE(bytes);
    RawHttp client(server.process.port());
    client.send(bytes);
    const RawReply reply = client.receive();
    CHECK(reply.status == 400);
    CHECK(error_code(reply) == "bad_request");
    CHECK(client.ends());
  }

  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 200; ++i) {
    std::string bytes = i % 2 == 0 ? "" : RawHttp::text("PUT", "/documents/d/blocks/b", R"({"a": [1, 2]})");
    for (int change = 0; change < 20; ++change) {
      const std::size_t at = random() % (bytes.size() + 1);
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), static_cast<char>(random()));
    }
    RawHttp client(server.process.port());
    client.send(bytes);
    client.finish_sending();
    client.drain();
  }
  CHECK(server.request("GET", "/healthz").status == 200);
}

TEST_CASE("requests that HTTP forbids or the server does not know are refused") {
  Server server;
  CHECK(error_code(server.request("GET", "/healthz", "", "Host: other\r\n")) == "bad_request");
  const RawReply encoded = server.request("PUT", "/documents/d/blocks/b", "", "Transfer-Encoding: gzip\r\n");
  CHECK(encoded.status == 501);
  const RawReply expecting = server.request("PUT", "/documents/d/blocks/b", "1", "Expect: a miracle\r\n");
  CHECK(expecting.status == 417);

  RawHttp client(server.process.port());
  client.send("GET /healthz HTTP/1.1\r\n\r\n");
  CHECK(error_code(client.receive()) == "bad_request");
  CHECK(client.ends());
}

TEST_CASE("'Expect: 100-continue' is answered before the body is sent") {
  Server server;
  RawHttp client(server.process.port());
  client.send("PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive().status == 100);
  client.send("{}");
  CHECK(client.receive().status == 201);
}

TEST_CASE("connections are kept or closed as the client wants") {
  Server server;
  SECTION("HTTP/1.1 keeps") {
    RawHttp client(server.process.port());
    for (int i = 0; i < 5; ++i) CHECK(client.request("GET", "/healthz").status == 200);
    CHECK(client.request("GET", "/healthz", "", "Connection: close\r\n").headers.at("connection") == "close");
    CHECK(client.ends());
  }
  SECTION("HTTP/1.0 closes, unless asked to keep, and needs no Host") {
    RawHttp client(server.process.port());
    client.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(client.receive().status == 200);
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    CHECK(client.receive().status == 200);
    CHECK(client.ends());
  }
  SECTION("a client that has finished sending gets its answers") {
    RawHttp client(server.process.port());
    client.send(RawHttp::text("PUT", "/documents/d/blocks/b", "1") + RawHttp::text("GET", "/documents/d/blocks/b"));
    client.finish_sending();
    CHECK(client.receive().status == 201);
    CHECK(client.receive().body == "1");
    CHECK(client.ends());
  }
}

TEST_CASE("pipelined requests are answered in order") {
  Server server;
  RawHttp client(server.process.port());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += RawHttp::text("PUT", "/documents/d/blocks/b", std::to_string(i));
    requests += RawHttp::text("GET", "/documents/d/blocks/b");
  }
  std::thread sender([&] { client.send(requests); });
  std::vector<std::string> read;
  for (int i = 0; i < 200; ++i) {
    client.receive();
    read.push_back(client.receive().body);
  }
  sender.join();
  for (int i = 0; i < 200; ++i) CHECK(read[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE("a request that does not arrive in time is 408, an idle connection just ends") {
  // Each limit by itself: a client that a busy machine keeps from sending is not to meet the other one.
  Server server({"--request-timeout", "0.3"});
  for (const std::string part : {"G", "GET / HTTP/1.1\r\nHost:",
                                 "PUT /documents/d/blocks/b HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n[1,"}) {
    CAPTURE(part);
    RawHttp client(server.process.port());
    client.send(part);
    const RawReply reply = client.receive();
    CHECK(reply.status == 408);
    CHECK(error_code(reply) == "request_timeout");
    CHECK(client.ends());
  }

  RawHttp dribbling(server.process.port());
  for (const char byte : std::string(10'000, 'x')) {
    if (!dribbling.send({&byte, 1})) break;
    std::this_thread::sleep_for(1ms);
  }
  CHECK_FALSE(dribbling.send("x"));

  Server hasty({"--idle-timeout", "0.5"});
  RawHttp silent(hasty.process.port());
  CHECK(silent.ends());
  CHECK(succeeds([&] {  // one that has ended before it could ask says nothing
    RawHttp idle(hasty.process.port());
    return idle.request("GET", "/healthz").status == 200 && idle.ends();
  }));
}

TEST_CASE("a client that does not take its answers is cut off") {
  Server server({"--request-timeout", "0.3", "--log-level", "debug"});
  for (int i = 0; i < 8; ++i) {
    CHECK(succeeds([&] {  // on a busy machine this, too, may take longer than the server allows
      return server.request("PUT", "/documents/d/blocks/" + std::to_string(i), json_text(mebibyte)).status < 300;
    }));
  }
  RawHttp reader(server.process.port(), 4096);
  reader.send(RawHttp::text("GET", "/documents/d"));
  // Logged when the server is done with it, and only the time limit ends that.
  CHECK(eventually([&] { return server.process.log().find("GET /documents/d -> 200") != std::string::npos; }));
  CHECK(reader.drain() < 8 * mebibyte);
  CHECK(RawHttp(server.process.port()).request("GET", "/healthz").status == 200);
}

TEST_CASE("100 keep-alive clients at once each see their own writes") {
  Server server({"--threads", "4"});
  std::vector<int> wrong(100, 0);
  std::vector<std::jthread> clients;
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    clients.emplace_back([&, i] {
      try {
        RawHttp client(server.process.port());
        // On a busy machine one may wait for longer than the server lets it, and is told to come again.
        const auto served = [&](const std::string& method, const std::string& target, const std::string& body = {}) {
          RawReply reply = client.request(method, target, body);
          while (reply.status == 503) reply = client.request(method, target, body);
          return reply;
        };
        const std::string target = "/documents/d" + std::to_string(i % 10) + "/blocks/" + std::to_string(i);
        for (int round = 0; round < 10; ++round) {
          const std::string body = std::to_string(i) + '.' + std::to_string(round);
          if (served("PUT", target, body).status != (round == 0 ? 201 : 204)) ++wrong[i];
          if (served("GET", target).body != body) ++wrong[i];
        }
      } catch (const std::exception&) {
        wrong[i] = -1;
      }
    });
  }
  clients.clear();
  CHECK(wrong == std::vector<int>(100, 0));
}

TEST_CASE("connections beyond the limit are told to come back") {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  Server server;
  std::list<RawHttp> clients;
  for (int i = 0; i < 900; ++i) clients.emplace_back(server.process.port());
  CHECK(clients.back().request("GET", "/healthz").status == 200);
  const RawReply reply = RawHttp(server.process.port()).receive();
  CHECK(reply.status == 503);
  CHECK(reply.headers.at("retry-after") == "1");
  CHECK(error_code(reply) == "overloaded");
  CHECK(clients.front().request("GET", "/healthz").status == 200);

  clients.pop_front();
  CHECK(eventually([&] { return server.request("GET", "/healthz").status == 200; }));
}
