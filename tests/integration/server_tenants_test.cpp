#include <sys/resource.h>

#include <boost/json/parse.hpp>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "files.hpp"
#include "plain_database.hpp"
#include "process_files.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// The example backend with a database for each tenant. The real program, over sockets.

namespace {

using namespace statehouse::test;
using statehouse::testing::TempDir;
namespace fs = std::filesystem;

struct TenantsServer {
  explicit TenantsServer(const fs::path& data, std::vector<std::string> more = {"--tenants", "on"})
      : process(with(data, std::move(more))) {}

  RawReply request(const std::string& method, const std::string& target, const std::string& body = {}) {
    RawHttp client(process.port());
    return client.request(method, target, body);
  }
  unsigned status(const std::string& method, const std::string& target, const std::string& body = {}) {
    return static_cast<unsigned>(request(method, target, body).status);
  }
  void stop() {
    process.kill(SIGTERM);
    CHECK(process.wait(patience) == 0);
  }

  ServerProcess process;

 private:
  static std::vector<std::string> with(const fs::path& data, std::vector<std::string> more) {
    more.insert(more.end(), {"--data-dir", data.string()});
    return more;
  }
};

}  // namespace

TEST_CASE("server: each tenant has the same routes, on a database of its own that its first PUT makes") {
  const TempDir data;
  TenantsServer server(data.path());
  CHECK(server.status("PUT", "/tenants/a/documents/d/blocks/b", "1") == 201);
  CHECK(server.status("PUT", "/tenants/a/documents/d/blocks/b", "2") == 204);
  CHECK(server.status("PUT", "/tenants/b/documents/d/blocks/b", "3") == 201);
  CHECK(server.status("PUT", "/documents/d/blocks/b", "4") == 201);
  CHECK(server.request("GET", "/tenants/a/documents/d/blocks/b").body == "2");
  CHECK(server.request("GET", "/tenants/b/documents/d/blocks/b").body == "3");
  CHECK(server.request("GET", "/documents/d/blocks/b").body == "4");
  CHECK(server.request("GET", "/tenants/b/search?q=3").body.find("\"context\":3") != std::string::npos);
  CHECK(server.request("GET", "/tenants/a/documents/d").body.find("\"context\":2") != std::string::npos);
  CHECK(server.status("DELETE", "/tenants/a/documents/d") == 200);
  CHECK(server.status("GET", "/tenants/a/documents/d/blocks/b") == 404);
  CHECK(server.request("GET", "/tenants/b/documents/d/blocks/b").body == "3");
  CHECK(mode_of(data / "tenants/a") == 0700);
  CHECK(fs::exists(data / "tenants/b/context.db"));
  server.stop();
}

TEST_CASE("server: who asks for a tenant that is not there makes no file, and a bad name none either") {
  const TempDir data;
  TenantsServer server(data.path());
  for (const char* target : {"/tenants/a/documents/d/blocks/b", "/tenants/a/documents/d", "/tenants/a/search?q=x"}) {
    CAPTURE(target);
    const auto reply = server.request("GET", target);
    CHECK(reply.status == 404);
    CHECK(reply.body.find("no such tenant") != std::string::npos);
  }
  CHECK(server.status("DELETE", "/tenants/a/documents/d") == 404);
  for (const char* tenant : {"..", "a%2Fb", "%2E%2E", "a.db", "a%00b", "-a", "", "a%20b", "a%2F..%2Fb"}) {
    CAPTURE(tenant);
    CHECK(server.status("PUT", "/tenants/" + std::string(tenant) + "/documents/d/blocks/b", "1") == 400);
  }
  for (const char* target : {"/tenants/a/metrics", "/tenants/a", "/tenants/a/livez", "/tenants/a/tenants/b/search"})
    CHECK(server.status("GET", target) == 404);
  CHECK(names_in(data.path()) == std::vector<std::string>{"context.db", "context.db-shm", "context.db-wal"});
  server.stop();
}

TEST_CASE("server: without --tenants there is no such path, and with a cluster no tenants") {
  const TempDir data;
  TenantsServer server(data.path(), {});
  CHECK(server.status("PUT", "/tenants/a/documents/d/blocks/b", "1") == 404);
  CHECK_FALSE(fs::exists(data / "tenants"));
  server.stop();
  const auto refused = ServerProcess::run({"--tenants", "on", "--cluster", "127.0.0.1:1"});
  CHECK(refused.exit_code == 2);
  CHECK(refused.output.find("--tenants") != std::string::npos);
}

TEST_CASE("server: tenants that are there are up to date before it is ready, and one that cannot be is told") {
  const TempDir data;
  {
    TenantsServer server(data.path());
    CHECK(server.status("PUT", "/tenants/a/documents/d/blocks/b", "1") == 201);
    server.stop();
  }
  // As a file of before the migrations.
  for (const char* table : {"_sqlx_migrations", "context"})
    PlainDatabase(data / "tenants/a/context.db").execute("DROP TABLE " + std::string(table));
  write_file(data / "tenants/b/context.db", std::string(5000, 'x'));
  TenantsServer server(data.path());
  CHECK(server.process.log().find("tenants: databases=2") != std::string::npos);
  CHECK(server.process.log().find("database 'tenants/b/context' is not up to date") != std::string::npos);
  CHECK(PlainDatabase(data / "tenants/a/context.db").text("SELECT count(*) FROM context") == "0");
  CHECK(server.status("GET", "/readyz") == 200);
  CHECK(server.status("GET", "/tenants/b/documents/d") == 500);
  CHECK(server.status("GET", "/readyz") == 200);  // a tenant's trouble is not the service's
  server.stop();
}

TEST_CASE("server: it may open as many files as the system lets it") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE(before.rlim_max > 256);
  const rlimit lower{256, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &lower) == 0);
  const TempDir data;
  TenantsServer server(data.path());
  rlimit its{};
  CHECK(::prlimit(server.process.pid(), RLIMIT_NOFILE, nullptr, &its) == 0);
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(its.rlim_cur == before.rlim_max);
  CHECK(server.process.log().find("open files: limit=" + std::to_string(before.rlim_max) + " before=256") !=
        std::string::npos);
  server.stop();
}
