#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cluster_fixture.hpp"
#include "cluster_leader.hpp"
#include "error_of.hpp"
#include "files.hpp"

namespace statehouse::test {
namespace {

constexpr const char* stunnel = "/usr/bin/stunnel4";

/// As cluster.md tells it: stunnel at the door of each node, and on the way to it; both show a certificate. On one
/// machine the way cannot begin at the node's address, so whoever is started with `environment` is sent to it
/// (redirect_connect.cpp).
class Tunnels {
 public:
  explicit Tunnels(const std::vector<std::string>& addresses) : first_port_(free_ports(2 * count(addresses))) {
    REQUIRE(Program({"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=member",
                     "-days", "2", "-out", certificate(), "-keyout", key()})
                .finish() == 0);
    std::string doors;
    std::string ways;
    for (int i = 0; i < count(addresses); ++i) {
      const std::string& node = addresses[static_cast<std::size_t>(i)];
      const std::string id = std::to_string(i + 1);
      doors += "[node" + id + "]\naccept = " + door(i) + "\nconnect = " + node + '\n';
      ways += "[to" + id + "]\nclient = yes\naccept = " + way(i) + "\nconnect = " + door(i) + '\n';
      redirected_ += node.substr(node.rfind(':') + 1) + '=' + way(i).substr(way(i).rfind(':') + 1) + ',';
    }
    start(doors_, "doors", doors);
    start(ways_, "ways", ways);
  }

  std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" STATEHOUSE_REDIRECT_LIBRARY, "STATEHOUSE_TEST_REDIRECT=" + redirected_};
  }
  /// Where others reach a node.
  std::string door(int node) const { return "127.0.0.1:" + std::to_string(first_port_ + 2 * node); }
  std::string certificate() const { return (dir_ / "certificate.pem").string(); }
  std::string key() const { return (dir_ / "key.pem").string(); }
  /// What those on the way to the nodes have said.
  std::string said() const { return read_file(dir_ / "ways.log"); }

 private:
  /// Each end is a process, as it is on another machine. Nobody reads what it says on standard error, so it says
  /// nothing there: a pipe that is full would stop it.
  void start(std::optional<Program>& program, const std::string& name, const std::string& services) const {
    const auto log = dir_ / (name + ".log");
    write_file(dir_ / name, "foreground = quiet\npid =\noutput = " + log.string() + "\ncert = " + certificate() +
                                "\nkey = " + key() + "\nCAfile = " + certificate() +
                                "\nverifyChain = yes\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n" + services);
    program.emplace(std::vector{std::string(stunnel), (dir_ / name).string()});
    REQUIRE(eventually(
        [&] { return std::filesystem::exists(log) && contains(read_file(log), "Configuration successful"); }));
  }
  static int count(const std::vector<std::string>& addresses) { return static_cast<int>(addresses.size()); }
  std::string way(int node) const { return "127.0.0.1:" + std::to_string(first_port_ + 2 * node + 1); }

  const testing::TempDir dir_;
  const int first_port_;
  std::string redirected_;
  std::optional<Program> doors_;
  std::optional<Program> ways_;
};

/// Whether the door took whoever came with these certificates: with TLS 1.2 a session has no name before both ends have
/// said so. The exit code would also tell how the connection ended, which is the node's to say: one that has gone
/// resets it.
bool taken_in(const std::string& door, const std::vector<std::string>& certificates) {
  std::vector<std::string> words{"/usr/bin/openssl", "s_client", "-connect", door, "-tls1_2"};
  words.insert(words.end(), certificates.begin(), certificates.end());
  words.insert(words.begin(), {"/bin/sh", "-c", "exec \"$@\" < /dev/null", "sh"});
  Program client(words);
  client.finish();
  CHECK(contains(client.said(), "CONNECTED("));
  CHECK(contains(client.said(), "Session-ID: "));
  return !contains(client.said(), "Session-ID: \n");
}

TEST_CASE(
    "cluster: through stunnel all reach the nodes, also when the leader has gone, and who has no certificate none") {
  if (!std::filesystem::exists(stunnel)) SKIP("there is no stunnel: tools/setup --ci installs it");
  const testing::TempDir dir;
  write_file(dir / "m" / "1_t.sql", "CREATE TABLE t(x);");
  std::optional<Tunnels> tunnels;
  ClusterFixture cluster(100, [&](const std::vector<std::string>& addresses, std::size_t) {
    if (!tunnels) tunnels.emplace(addresses);
    return tunnels->environment();
  });
  std::string nodes;
  for (const std::string& each : cluster.addresses()) nodes += (nodes.empty() ? "" : ",") + each;
  const auto migrate = [&](const char* command) {
    Program tool({STATEHOUSE_TOOL_PROGRAM, "migrate", command, "--source", (dir / "m").string(), "--cluster", nodes,
                  "--name", "a", "--dial-timeout", "120", "--find-leader", "120"},
                 tunnels->environment());
    const int exit_code = tool.finish();
    return exit_code == 0 ? tool.said() : "exit code " + std::to_string(exit_code) + ": " + tool.said();
  };
  CHECK(contains(migrate("run"), "1 migration applied"));
  cluster.kill(leader_of(cluster));
  CHECK(contains(migrate("info"), "1 applied, 0 pending"));
  for (int node = 1; node <= 3; ++node)
    CHECK(contains(tunnels->said(), "Service [to" + std::to_string(node) + "] connected remote server"));
  for (int node = 0; node < 3; ++node) {
    CHECK(taken_in(tunnels->door(node), {"-cert", tunnels->certificate(), "-key", tunnels->key()}));
    CHECK_FALSE(taken_in(tunnels->door(node), {}));
  }
}

}  // namespace
}  // namespace statehouse::test
