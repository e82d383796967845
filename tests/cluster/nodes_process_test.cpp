#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cluster/administration.hpp"
#include "cluster/cluster_engine.hpp"
#include "cluster_fixture.hpp"
#include "engine/connection_access.hpp"
#include "error_of.hpp"
#include "eventually.hpp"
#include "files.hpp"
#include "notify_socket.hpp"
#include "statehouse/testing/log_capture.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> of_a_founder(const testing::TempDir& dir, const std::string& address) {
  return {"--id", "1", "--address", address, "--data-dir", (dir / "1").string()};
}

/// Asks until somebody leads.
std::size_t leading(const ClusterFixture& cluster) {
  detail::Administration asking(5s, [] { return true; });
  for (;;)
    if (const auto leader = asking.find_leader(cluster.addresses())) return cluster.index_of(leader->address());
}

/// Again while the cluster elects, or another change is under way.
template <class Ask>
bool by_leader(detail::Administration& asking, const std::vector<std::string>& contacts, Ask ask) {
  return eventually([&] {
    try {
      const auto leader = asking.find_leader(contacts);
      if (leader != nullptr) ask(*leader);
      return leader != nullptr;
    } catch (const std::exception&) {
      return false;
    }
  });
}

TEST_CASE("statehouse-node: tells systemd that it serves and that it ends, by a path or an abstract name") {
  const testing::TempDir dir;
  for (const std::string& name : {(dir / "notify").string(), "@" + (dir / "abstract").string()}) {
    CAPTURE(name);
    NotifySocket systemd(name);
    const std::string address = free_address();
    NodeProcess node(of_a_founder(dir, address), {"NOTIFY_SOCKET=" + name});
    CHECK(systemd.until("READY=1") ==
          std::vector<std::string>{"STATUS=listening on " + address, "STATUS=ready", "READY=1"});
    node.signal(SIGTERM);
    CHECK(systemd.until("STOPPING=1").back() == "STOPPING=1");
    CHECK(systemd.until("STATUS=stopped").back() == "STATUS=stopped");
    CHECK(node.wait() == 0);
    std::filesystem::remove_all(dir / "1");
  }
}

TEST_CASE("statehouse-node: a leader that is to end hands over first, and comes back with the same arguments") {
  ClusterFixture cluster;
  // On a busy machine another one may have come to lead before the signal, or after the handover: that is no round.
  int rounds = 0;
  for (int tries = 0; rounds < 3 && tries < 12; ++tries) {
    const std::size_t before = leading(cluster);
    NodeProcess& node = cluster.node(before);
    node.signal(SIGTERM);
    const std::string successor = node.word_after(": has handed over to ");
    CHECK(node.wait() == 0);
    const std::size_t after = leading(cluster);
    CHECK(after != before);
    if (successor == cluster.addresses()[after] && cluster.node(after).says(": leads\n")) ++rounds;
    cluster.start(before);
  }
  CHECK(rounds == 3);
  detail::Administration asking(5s, [] { return true; });
  std::vector<detail::wire::Member> members;
  REQUIRE(by_leader(asking, cluster.addresses(), [&](detail::Channel& leader) { members = asking.members(leader); }));
  CHECK(members.size() == ClusterFixture::size);
  for (const auto& member : members) CHECK(member.role == detail::wire::role::voter);
}

TEST_CASE("statehouse-node: one that does not lead, or is alone, ends without handing over") {
  ClusterFixture cluster;
  bool handed_over = true;
  for (int tries = 0; handed_over && tries < 5; ++tries) {  // on a busy machine it may have come to lead by now
    const std::size_t follower = (leading(cluster) + 1) % ClusterFixture::size;
    NodeProcess& node = cluster.node(follower);
    node.signal(SIGTERM);
    REQUIRE(node.says(": stopped\n"));
    CHECK(node.wait() == 0);
    handed_over = node.said().find("handed over") != std::string::npos;
    cluster.start(follower);
  }
  CHECK_FALSE(handed_over);
  const testing::TempDir dir;
  NodeProcess alone(of_a_founder(dir, free_address()));
  REQUIRE(alone.says(": leads\n"));
  alone.signal(SIGINT);
  REQUIRE(alone.says(": stops on SIGINT\n"));
  REQUIRE(alone.says(": stopped\n"));
  CHECK(alone.wait() == 0);
  CHECK(alone.said().find("handed over") == std::string::npos);
}

TEST_CASE("statehouse-node: a second one on the same directory is refused, and the first one's data stays") {
  const testing::TempDir dir;
  const std::string address = free_address();
  NodeProcess first(of_a_founder(dir, address));
  for (const std::string& other : {address, free_address()}) {
    NodeProcess second(of_a_founder(dir, other), {}, "give this one a --data-dir of its own\n");
    CHECK(second.said().find("another node runs on " + (dir / "1").string()) != std::string::npos);
    CHECK(second.wait() == 1);
  }
  CHECK(first.says(": leads\n"));
  first.signal(SIGKILL);  // which leaves the file, and no lock
  first.wait();
  CHECK(NodeProcess(of_a_founder(dir, address)).says(": leads\n"));
}

TEST_CASE(
    "statehouse-node: a directory in which no node was ever made is empty, though one has locked and claimed it") {
  const testing::TempDir dir;
  std::filesystem::create_directory(dir / "1");
  for (const char* const name : {"statehouse-node.lock", "statehouse-node.owner", "dqlite-lock"})
    write_file(dir / "1" / name, "");
  auto arguments = of_a_founder(dir, free_address());
  arguments.insert(arguments.end(), {"--join", free_address()});
  NodeProcess joins_none(arguments, {}, "founds a cluster of its own in an empty directory");
  CHECK(joins_none.wait() == 2);
  arguments.resize(arguments.size() - 2);
  CHECK(NodeProcess(arguments).says(": leads\n"));
}

TEST_CASE("statehouse-node: a directory belongs to its first id and address: others are refused, the same come back") {
  const testing::TempDir dir;
  const std::string address = free_address();
  const std::string other = free_address();
  const std::string directory = (dir / "1").string();
  NodeProcess(of_a_founder(dir, address)).signal(SIGKILL);
  const std::string owner = directory + " is the data of node 1 at " + address;
  NodeProcess moved(of_a_founder(dir, other), {}, "in an empty --data-dir\n");
  CHECK(moved.said().find(owner + ", not of node 1 at " + other + ": start it as that") != std::string::npos);
  CHECK(moved.wait() == 2);
  NodeProcess renamed({"--id", "3", "--address", address, "--data-dir", directory, "--join", other}, {},
                      "in an empty --data-dir\n");
  CHECK(renamed.said().find(owner + ", not of node 3 at " + address + ": start it as that") != std::string::npos);
  CHECK(renamed.wait() == 2);
  CHECK(NodeProcess(of_a_founder(dir, address)).says(": leads\n"));
}

TEST_CASE("statehouse-node: a directory from before it was written down whose it is belongs to who has it next") {
  const testing::TempDir dir;
  const std::string address = free_address();
  NodeProcess(of_a_founder(dir, address)).signal(SIGKILL);
  std::filesystem::remove(dir / "1" / "statehouse-node.owner");
  CHECK(NodeProcess(of_a_founder(dir, address)).says(": leads\n"));
  NodeProcess moved(of_a_founder(dir, free_address()), {}, "in an empty --data-dir\n");
  CHECK(moved.wait() == 2);
}

TEST_CASE("statehouse-node: a directory without data is nobody's, so a mistaken address is only started again") {
  const testing::TempDir dir;
  auto arguments = of_a_founder(dir, "192.0.2.1:9001");  // of no machine
  NodeProcess mistaken(arguments, {}, "the address cannot be listened on");
  CHECK(mistaken.wait() == 1);
  CHECK(std::filesystem::exists(dir / "1" / "statehouse-node.owner"));
  CHECK(NodeProcess(of_a_founder(dir, free_address())).says(": leads\n"));
}

TEST_CASE("statehouse-node: one that was made a standby or a spare stays that when it comes back") {
  ClusterFixture cluster;
  detail::Administration asking(5s, [] { return true; });
  for (const auto role : {detail::wire::role::standby, detail::wire::role::spare}) {
    const std::size_t changed = 1 + leading(cluster) % (ClusterFixture::size - 1);  // never node 1, which does not join
    if (changed == leading(cluster)) continue;
    const detail::wire::Member wanted{changed + 1, cluster.addresses()[changed], role};
    REQUIRE(
        by_leader(asking, cluster.addresses(), [&](detail::Channel& leader) { asking.make_member(leader, wanted); }));
    cluster.node(changed).signal(SIGTERM);
    REQUIRE(cluster.node(changed).says(": stopped\n"));
    cluster.kill(changed);  // waits for the end of the process, and so of its lock
    cluster.start(changed);
    CHECK(cluster.node(changed).said().find(": stays a ") != std::string::npos);
    std::vector<detail::wire::Member> members;
    REQUIRE(by_leader(asking, cluster.addresses(), [&](detail::Channel& leader) { members = asking.members(leader); }));
    CHECK(detail::find_member(members, wanted.id)->role == role);
  }
}

TEST_CASE("statehouse-node: a spare that an interrupted join has left becomes a voter") {
  const testing::TempDir dir;
  const std::string founder = free_address();
  const std::string address = free_address();
  const NodeProcess first(of_a_founder(dir, founder));
  const std::vector<std::string> arguments{"--id",   "2",    "--address", address, "--data-dir", (dir / "2").string(),
                                           "--join", founder};
  detail::Administration asking(5s, [] { return true; });
  const detail::wire::Member spare{2, address, detail::wire::role::spare};
  REQUIRE(by_leader(asking, {founder}, [&](detail::Channel& leader) { asking.make_member(leader, spare); }));
  const NodeProcess second(arguments);
  std::vector<detail::wire::Member> members;
  REQUIRE(by_leader(asking, {founder, address}, [&](detail::Channel& leader) { members = asking.members(leader); }));
  CHECK(detail::find_member(members, 2)->role == detail::wire::role::voter);
}

TEST_CASE("statehouse-node: one that cannot join says why, and joins when that has passed") {
  const testing::TempDir dir;
  const std::string founder = free_address();
  NodeProcess second({"--id", "2", "--address", free_address(), "--data-dir", (dir / "2").string(), "--join", founder},
                     {}, ": has not joined yet and tries again: no leader is found: ");
  REQUIRE(second.says(founder + ": Connection refused"));
  const NodeProcess first(of_a_founder(dir, founder));
  CHECK(second.says(": ready\n"));
}

TEST_CASE("statehouse-node: wrong usage ends with 2, which its unit does not try again") {
  NodeProcess unknown({"--no-such-option"}, {}, "--help");
  CHECK(unknown.wait() == 2);
  NodeProcess bad({"--id", "0", "--address", free_address(), "--data-dir", "/"}, {}, "--help");
  CHECK(bad.wait() == 2);
}

TEST_CASE("statehouse-node: REGEXP is there, in queries and in constraints, as on a file") {
  const ClusterFixture cluster;
  const testing::LogCapture log;
  detail::ClusterEngine engine({.database = "test",
                                .cluster = {.nodes = cluster.addresses(),
                                            .database = "test.db",
                                            .dial_timeout = patience,
                                            .find_leader = patience},
                                .connection = {},
                                .logger = log.logger()});
  const auto db = detail::connect(
      engine.open(connection_role::writer, std::make_shared<detail::Interrupter>(make_steady_clock())), {});
  CHECK(db->query_one<int>("SELECT 'web7' REGEXP '^web\\d+$'") == 1);
  CHECK(db->query_one<int>("SELECT 'web' REGEXP '^web\\d+$'") == 0);
  CHECK_THROWS_AS(db->query_one<int>("SELECT 'web' REGEXP '('"), Error);
  db->execute("CREATE TABLE t(host TEXT NOT NULL CHECK (host REGEXP '^web\\d+$')) STRICT");
  db->execute("INSERT INTO t VALUES ('web7')");
  CHECK(code_of([&] { db->execute("INSERT INTO t VALUES ('mail')"); }) == condition::constraint);
}

}  // namespace
}  // namespace statehouse::test
