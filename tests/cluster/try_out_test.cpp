#include <catch2/catch_test_macros.hpp>
#include <string>

#include "cluster_tool.hpp"
#include "error_of.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"

namespace statehouse::test {
namespace {

/// The script tools/cluster, on the programs of this build.
Program cluster_script(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), STATEHOUSE_CLUSTER_SCRIPT);
  return Program(std::move(arguments), {"STATEHOUSE_BUILD=" STATEHOUSE_BUILD_DIRECTORY});
}

/// Asked again while it is told to: an election takes its time.
RawReply served(unsigned short port, const std::string& method, const std::string& target,
                const std::string& body = {}) {
  RawReply reply = RawHttp(port).request(method, target, body);
  while (reply.status == 503) reply = RawHttp(port).request(method, target, body);
  return reply;
}

std::string rest_of_line(const std::string& text, std::string_view after) {
  const std::size_t at = text.find(after) + after.size();
  return text.substr(at, text.find('\n', at) - at);
}

TEST_CASE("the example backend on a cluster: two of them see the same data, also after the leader was killed") {
  ClusterWorkshop shop;
  const auto backend = [&](const char* dir) {
    return ServerProcess({"--data-dir", (shop / dir).string(), "--cluster", shop.nodes()});
  };
  const ServerProcess one = backend("one");
  const ServerProcess other = backend("other");
  const auto ask = [](const ServerProcess& server, const std::string& method, const std::string& body = {}) {
    return served(server.port(), method, "/documents/d/blocks/b", body);
  };
  CHECK(ask(one, "PUT", R"({"host": "web7"})").status < 300);
  CHECK(ask(other, "GET").body == R"({"host": "web7"})");
  CHECK(ask(other, "PUT", "1.0").status == 204);
  CHECK(served(one.port(), "GET", "/search?q=%5Cd%5C.").body.find(R"("context":1.0)") != std::string::npos);
  CHECK(served(one.port(), "GET", "/search?q=(").status == 400);
  shop.cluster.kill(leader_of(shop.cluster));
  CHECK(ask(one, "PUT", R"("after")").status == 204);
  CHECK(ask(other, "GET").body == R"("after")");
  CHECK(shop.files("one").empty());
}

TEST_CASE("the example backend: addresses of a cluster that are none are wrong usage") {
  const auto run = ServerProcess::run({"--cluster", "nowhere"});
  CHECK(run.exit_code == 2);
  CHECK(contains(run.output, "HOST:PORT"));
  CHECK(ServerProcess::run({}, {"STATEHOUSE_CLUSTER=nowhere"}).exit_code == 2);
}

TEST_CASE("tools/cluster: where a port is taken, it asks for other ports and for another directory with them") {
  const testing::TempDir dir;
  const std::string first_port = std::to_string(free_ports(3));
  const NodeProcess other(
      {"--id", "1", "--address", "127.0.0.1:" + first_port, "--data-dir", (dir / "other").string()});
  Program script = cluster_script({"--first-port", first_port, "--dir", (dir / "c").string()});
  CHECK(script.finish() == 1);
  CHECK(contains(script.said(), "give --first-port, --dir and --port"));
  CHECK_FALSE(std::filesystem::exists(dir / "c"));
}

TEST_CASE("tools/cluster: one command starts three nodes and the backend, survives a node, and Ctrl-C ends all") {
  const testing::TempDir dir;
  const std::string first_port = std::to_string(free_ports(3));
  const std::vector<std::string> arguments{"--first-port", first_port, "--dir", (dir / "c").string(), "--port", "0"};
  for (int round = 0; round < 2; ++round) {  // the second time with the data of the first
    Program script = cluster_script(arguments);
    const std::string address = script.word_after("statehouse-server: http://127.0.0.1:");
    CAPTURE(script.said());
    REQUIRE_FALSE(address.empty());
    const auto port = static_cast<unsigned short>(std::stoi(address));
    CHECK(served(port, "GET", "/documents/d/blocks/b").status == (round == 0 ? 404 : 200));
    CHECK(served(port, "PUT", "/documents/d/blocks/b", "{}").status < 300);
    const std::string node = script.word_after("end a node:      kill -9 ");
    REQUIRE_FALSE(node.empty());
    CHECK(::kill(std::stoi(node), SIGKILL) == 0);
    CHECK(served(port, "PUT", "/documents/d/blocks/b", "{}").status == 204);
    const std::string id = script.word_after("# node ");
    REQUIRE(script.says("ends all"));
    Program again({"/bin/bash", "-c", "exec " + rest_of_line(script.said(), "start it again:  ")},
                  {"PATH=/usr/bin:/bin"});
    CHECK(again.says("statehouse-node " + id + ": ready\n"));
    script.signal(SIGINT);
    CHECK(script.finish() == 0);
    CHECK(contains(script.said(), "all have ended"));
    CHECK(contains(script.said(), "statehouse-node " + std::string(id == "2" ? "3" : "2") + ": stopped"));
  }
}

TEST_CASE("tools/cluster: starts also when a fourth node has joined, whether that one runs or not") {
  const testing::TempDir dir;
  const int first_port = free_ports(4);
  const std::vector<std::string> arguments{
      "--first-port", std::to_string(first_port), "--dir", (dir / "c").string(), "--port", "0"};
  const std::string contact = "127.0.0.1:" + std::to_string(first_port);
  const auto serves = [&](Program& script) {
    const std::string address = script.word_after("statehouse-server: http://127.0.0.1:");
    INFO(script.said());
    REQUIRE_FALSE(address.empty());
    CHECK(served(static_cast<unsigned short>(std::stoi(address)), "PUT", "/documents/d/blocks/b", "{}").status < 300);
  };
  const auto end = [](Program& script) {
    script.signal(SIGINT);
    CHECK(script.finish() == 0);
  };
  Program first = cluster_script(arguments);
  serves(first);
  NodeProcess fourth({"--id", "4", "--address", "127.0.0.1:" + std::to_string(first_port + 3), "--data-dir",
                      (dir / "4").string(), "--join", contact});
  end(first);
  Program with_fourth = cluster_script(arguments);
  serves(with_fourth);
  fourth.signal(SIGKILL);
  fourth.wait();
  end(with_fourth);
  Program without_fourth = cluster_script(arguments);
  serves(without_fourth);
  end(without_fourth);
}

}  // namespace
}  // namespace statehouse::test
