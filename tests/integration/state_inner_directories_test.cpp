// Names with `/`: databases in directories of the data directory.
#include <sys/stat.h>

#include <catch2/generators/catch_generators.hpp>
#include <fstream>

#include "state_support.hpp"
#include "statehouse/backup.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

TEST_CASE("names with /: each is a database of its own, in directories that the first get_pool makes with mode 0700") {
  const mode_t mask = GENERATE(mode_t{0}, mode_t{077}, mode_t{0777});
  SteppedApp app;
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  databases.add_migrator("tenants/1/state", migrations({"CREATE TABLE t(x)"}));
  databases.configure("tenants/2/state", PoolOptions());
  CHECK(databases.db_path("tenants/1/state") == fs::canonical(app.dir.path()) / "tenants/1/state.db");
  CHECK_FALSE(databases.try_get_pool("tenants/1/state").has_value());
  CHECK(fs::is_empty(app.dir.path()));  // not by the name alone
  const mode_t before = ::umask(mask);
  const Pool one = app.run(databases.get_pool("tenants/1/state"));
  const Pool two = app.run(databases.get_pool("tenants/2/state"));
  const Pool plain = app.run(databases.get_pool("tenants"));
  ::umask(before);
  for (const char* directory : {"tenants", "tenants/1", "tenants/2"}) CHECK(mode_of(app.dir / directory) == 0700);
  for (const char* file : {"tenants/1/state.db", "tenants/2/state.db", "tenants.db"})
    CHECK(mode_of(app.dir / file) == 0600);
  app.run(one.execute("INSERT INTO t VALUES (1)"));
  CHECK(app.run(two.query_all<std::string>("SELECT name FROM sqlite_schema")).empty());
  CHECK(one.name() == "tenants/1/state");
  CHECK(same(one, *databases.try_get_pool("tenants/1/state.db")));
  CHECK(databases.names() == std::vector{"tenants"s, "tenants/1/state"s, "tenants/2/state"s});
  CHECK(databases.stats().at(1).name == "tenants/1/state");
  CHECK(app.log.count("database 'tenants/1/state': opened tenants/1/state.db in") == 1);
  const auto path = one.path();
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(path);
}

TEST_CASE("names with /: the development prefix goes before the last segment") {
  SteppedApp app;
  auto state = another(app, app.dir.path(), "dev");
  app.run(state->init());
  const Pool pool = app.run(state->db_instances.get_pool("tenants/1/state"));
  CHECK(pool.path() == fs::canonical(app.dir.path()) / "tenants/1/dev_state.db");
  CHECK(pool.name() == "tenants/1/state");
  CHECK(app.run(state->shutdown()).clean());
}

TEST_CASE("names with /: no symbolic link inside the data directory is followed, and nothing is made behind it") {
  const std::string link = GENERATE(as<std::string>(), "tenants", "tenants/1");
  SteppedApp app;
  const testing::TempDir elsewhere;
  app.run(app.state->init());
  if (link != "tenants") fs::create_directory(app.dir / "tenants");
  fs::create_directory_symlink(elsewhere.path(), app.dir / link);
  auto get = app.spawn(app.state->db_instances.get_pool("tenants/1/state"));
  app.settle();
  CHECK(get.code() == boost::system::errc::too_many_symbolic_link_levels);
  CHECK(contains(get.text(), "symbolic link"));
  CHECK(contains(get.text(), (app.dir / link).string()));
  CHECK(fs::is_empty(elsewhere.path()));
  fs::remove(app.dir / link);
  CHECK(app.run(app.state->db_instances.get_pool("tenants/1/state")).name() == "tenants/1/state");
}

TEST_CASE("names with /: a directory that becomes a link while the database sleeps is not followed when it wakes") {
  SteppedApp app;
  const testing::TempDir elsewhere;
  app.run(app.state->init());
  PoolOptions options;
  options.idle_close = 2s;
  app.state->db_instances.configure("tenants/1/state", options);
  const Pool pool = app.run(app.state->db_instances.get_pool("tenants/1/state"));
  app.run(pool.execute("CREATE TABLE t(x)"));
  for (int i = 0; i < 10 && app.state->db_instances.stats().at(0).state != database_state::asleep; ++i) {
    app.clock->advance(1s);
    app.settle();
  }
  REQUIRE(app.state->db_instances.stats().at(0).state == database_state::asleep);
  fs::rename(app.dir / "tenants/1", elsewhere / "1");
  fs::create_directory_symlink(elsewhere / "1", app.dir / "tenants/1");
  auto write = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  app.settle();
  CHECK(write.failed());
  CHECK(value(elsewhere / "1/state.db", "SELECT count(*) FROM t") == "0");
}

TEST_CASE("names with /: where a file is in the way of a directory, that is the error") {
  SteppedApp app;
  app.run(app.state->init());
  std::ofstream(app.dir / "tenants") << "x";
  auto get = app.spawn(app.state->db_instances.get_pool("tenants/1"));
  app.settle();
  CHECK(get.code() == boost::system::errc::not_a_directory);
  CHECK(contains(get.text(), "a file, not a directory"));
}

TEST_CASE("names with /: a database in memory needs no directory, and a cluster takes none") {
  SteppedApp app;
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  PoolOptions in_memory;
  in_memory.in_memory = true;
  databases.configure("a/b", in_memory);
  CHECK(app.run(databases.get_pool("a/b")).name() == "a/b");
  PoolOptions cluster;
  cluster.cluster.nodes = {"127.0.0.1:1"};
  databases.configure("c/d", cluster);
  auto get = app.spawn(databases.get_pool("c/d"));
  app.settle();
  CHECK(get.code() == errc::invalid_name);
  CHECK(contains(get.text(), "cluster.database"));
  cluster.cluster.database = "c/d";
  CHECK(code_of([&] { databases.configure("e/f", cluster); }) == errc::invalid_option);
  CHECK(fs::is_empty(app.dir.path()));
}

TEST_CASE("names with /: backups lie beside the file, or in the same directories of the one that all share") {
  SteppedApp app;
  const testing::TempDir shared;
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  PoolOptions options;
  options.backup.every = 1h;
  databases.configure("tenants/1/state", options);
  options.backup.directory = shared.path();
  databases.configure("tenants/2/state", options);
  databases.configure("plain", options);
  for (const char* name : {"tenants/1/state", "tenants/2/state", "plain"}) app.run(databases.get_pool(name));
  for (int i = 0; i < 3; ++i) {
    app.clock->advance(1s);
    app.settle();
  }
  const auto made = [&](const char* name, const fs::path& directory) {
    return backups_of(databases.db_path(name), directory).size();
  };
  CHECK(made("tenants/1/state", app.dir / "tenants/1/backups") == 1);
  CHECK(made("tenants/2/state", shared / "tenants/2") == 1);
  CHECK(made("plain", shared.path()) == 1);
}

}  // namespace
}  // namespace statehouse::test
