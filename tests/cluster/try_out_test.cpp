#include <catch2/catch_test_macros.hpp>
#include <string>

#include "cluster_tool.hpp"
#include "error_of.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"

namespace statehouse::test {
namespace {

/// The script tools/cluster, of which this test reads what it prints.
class ClusterScript {
 public:
  explicit ClusterScript(std::vector<std::string> arguments) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    arguments.insert(arguments.begin(), STATEHOUSE_CLUSTER_SCRIPT);
    std::vector<char*> argv;
    for (std::string& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setenv("STATEHOUSE_BUILD", STATEHOUSE_BUILD_DIRECTORY, 1);
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
  }
  ~ClusterScript() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(output_);
  }
  ClusterScript(const ClusterScript&) = delete;
  ClusterScript& operator=(const ClusterScript&) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  /// All that it says up to this; false when it ends, or says nothing for 60 s.
  bool says(std::string_view what) {
    while (said_.find(what) == std::string::npos)
      if (!read_more()) return false;
    return true;
  }
  /// The word after this text.
  std::string word_after(std::string_view text) {
    if (!says(text)) return {};
    const std::size_t at = said_.find(text) + text.size();
    while (said_.find_first_of(" ,\n", at) == std::string::npos)
      if (!read_more()) return {};
    return said_.substr(at, said_.find_first_of(" ,\n", at) - at);
  }
  /// Until all who have its output have ended; gives its exit code.
  int finish() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& said() const noexcept { return said_; }

 private:
  bool read_more() {
    pollfd readable{output_, POLLIN, 0};
    char buffer[512];
    if (::poll(&readable, 1, 60'000) != 1) return false;
    const ssize_t count = ::read(output_, buffer, sizeof buffer);
    if (count > 0) said_.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  }

  pid_t pid_ = -1;
  int output_ = -1;
  std::string said_;
};

/// The first of three ports beside each other that nobody listens on.
std::string three_free_ports() {
  const auto is_free = [](int port) {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const bool bound = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    return bound;
  };
  for (;;) {
    const int first = std::stoi(free_address().substr(sizeof "127.0.0.1:" - 1));
    if (first < 65'534 && is_free(first + 1) && is_free(first + 2)) return std::to_string(first);
  }
}

TEST_CASE("the example backend on a cluster: two of them see the same data, also after the leader was killed") {
  ClusterWorkshop shop;
  const auto backend = [&](const char* dir) {
    return ServerProcess({"--data-dir", (shop / dir).string(), "--cluster", shop.nodes()});
  };
  const ServerProcess one = backend("one");
  const ServerProcess other = backend("other");
  const auto ask = [](const ServerProcess& server, const std::string& method, const std::string& body = {}) {
    return RawHttp(server.port()).request(method, "/documents/d/blocks/b", body);
  };
  CHECK(ask(one, "PUT", R"({"host": "web7"})").status == 201);
  CHECK(ask(other, "GET").body == R"({"host": "web7"})");
  CHECK(ask(other, "PUT", "1.0").status == 204);
  CHECK(RawHttp(one.port()).request("GET", "/search?q=%5Cd%5C.").body.find(R"("context":1.0)") != std::string::npos);
  CHECK(RawHttp(one.port()).request("GET", "/search?q=(").status == 400);
  shop.cluster.kill(leader_of(shop.cluster));
  RawReply reply = ask(one, "PUT", R"("after")");
  while (reply.status == 503) reply = ask(one, "PUT", R"("after")");  // an election takes its time
  CHECK(reply.status == 204);
  CHECK(ask(other, "GET").body == R"("after")");
  CHECK(shop.files("one").empty());
}

TEST_CASE("the example backend: addresses of a cluster that are none are wrong usage") {
  const auto run = ServerProcess::run({"--cluster", "nowhere"});
  CHECK(run.exit_code == 2);
  CHECK(contains(run.output, "HOST:PORT"));
  CHECK(ServerProcess::run({}, {"STATEHOUSE_CLUSTER=nowhere"}).exit_code == 2);
}

TEST_CASE("tools/cluster: where a port is taken, it asks for another port and for another directory with it") {
  const TempDir dir;
  const std::string first_port = three_free_ports();
  const NodeProcess other(
      {"--id", "1", "--address", "127.0.0.1:" + first_port, "--data-dir", (dir / "other").string()});
  ClusterScript script({"--first-port", first_port, "--dir", (dir / "c").string()});
  CHECK(script.finish() == 1);
  CHECK(contains(script.said(), "give --first-port and --dir"));
  CHECK_FALSE(std::filesystem::exists(dir / "c"));
}

TEST_CASE("tools/cluster: one command starts three nodes and the backend, survives a node, and Ctrl-C ends all") {
  const TempDir dir;
  const std::string first_port = three_free_ports();
  const std::vector<std::string> arguments{"--first-port", first_port, "--dir", (dir / "c").string(), "--port", "0"};
  for (int round = 0; round < 2; ++round) {  // the second time with the data of the first
    ClusterScript script(arguments);
    const std::string address = script.word_after("statehouse-server: http://127.0.0.1:");
    CAPTURE(script.said());
    REQUIRE_FALSE(address.empty());
    const auto port = static_cast<unsigned short>(std::stoi(address));
    CHECK(RawHttp(port).request("GET", "/documents/d/blocks/b").status == (round == 0 ? 404 : 200));
    CHECK(RawHttp(port).request("PUT", "/documents/d/blocks/b", "{}").status == (round == 0 ? 201 : 204));
    const std::string node = script.word_after("127.0.0.1:" + first_port + ", process ");
    REQUIRE_FALSE(node.empty());
    CHECK(::kill(std::stoi(node), SIGKILL) == 0);
    RawReply reply = RawHttp(port).request("PUT", "/documents/d/blocks/b", "{}");
    while (reply.status == 503) reply = RawHttp(port).request("PUT", "/documents/d/blocks/b", "{}");
    CHECK(reply.status == 204);
    script.signal(SIGINT);
    CHECK(script.finish() == 0);
    CHECK(contains(script.said(), "all have ended"));
    CHECK(contains(script.said(), "statehouse-node 2: stopped"));
  }
}

}  // namespace
}  // namespace statehouse::test
