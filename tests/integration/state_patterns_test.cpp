// What is said of many databases at once, by a pattern of their names.
#include <catch2/generators/catch_generators.hpp>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

using namespace std::string_literals;
using Texts = std::vector<std::string>;

Texts tables_of(SteppedApp& app, const std::string& name) {
  const Pool pool = app.run(app.state->db_instances.get_pool(name));
  return app.run(
      pool.query_all<std::string>("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_%' ESCAPE '\\' "
                                  "AND name NOT LIKE 'sqlite%' AND type = 'table' ORDER BY 1"));
}

PoolOptions with_readers(unsigned count) {
  PoolOptions options;
  options.readers = count;
  return options;
}

std::size_t readers_of(SteppedApp& app, const std::string& name) {
  return app.run(app.state->db_instances.get_pool(name)).stats().readers.max_connections;
}

TEST_CASE("add_migrator: a pattern is for every database whose name it matches, a new one too") {
  SteppedApp app;
  app.run(app.state->init());
  app.state->db_instances.add_migrator("tenants/*/state", migrations({"CREATE TABLE t(x)"}));
  CHECK(tables_of(app, "tenants/1/state") == Texts{"t"});
  CHECK(tables_of(app, "tenants/2/state") == Texts{"t"});
  CHECK(tables_of(app, "tenants/1/other").empty());
  CHECK(tables_of(app, "state").empty());
}

TEST_CASE("add_migrator: what is said of a name counts before a pattern, and of patterns the first") {
  SteppedApp app;
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  const bool name_first = GENERATE(true, false);
  const auto by_name = [&] { databases.add_migrator("t/1", migrations({"CREATE TABLE by_name(x)"})); };
  if (name_first) by_name();
  databases.add_migrator("t/*", migrations({"CREATE TABLE first(x)"}));
  databases.add_migrator("**", migrations({"CREATE TABLE second(x)"}));
  if (!name_first) by_name();
  CHECK(tables_of(app, "t/1") == Texts{"by_name"});
  CHECK(tables_of(app, "t/2") == Texts{"first"});
  CHECK(tables_of(app, "x") == Texts{"second"});
}

TEST_CASE("configure: a pattern counts as a migrator's does, also for a name that was mentioned before it") {
  SteppedApp app;
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  databases.configure("t/1", with_readers(5));
  databases.add_migrator("t/2", migrations({"CREATE TABLE by_name(x)"}));
  databases.configure("t/*", with_readers(6));
  databases.configure("**", with_readers(7));
  CHECK(readers_of(app, "t/1") == 5);
  CHECK(readers_of(app, "t/2") == 6);
  CHECK(tables_of(app, "t/2") == Texts{"by_name"});
  CHECK(readers_of(app, "t/3") == 6);
  CHECK(readers_of(app, "x") == 7);
}

TEST_CASE("patterns: one that comes after a database was opened is not for that") {
  SteppedApp app;
  app.run(app.state->init());
  CHECK(tables_of(app, "t/1").empty());
  app.state->db_instances.add_migrator("t/*", migrations({"CREATE TABLE t(x)"}));
  CHECK(tables_of(app, "t/1").empty());
  CHECK(tables_of(app, "t/2") == Texts{"t"});
}

TEST_CASE("patterns: db_path knows them before anybody mentions the name") {
  SteppedApp app;
  app.run(app.state->init());
  PoolOptions in_memory;
  in_memory.in_memory = true;
  app.state->db_instances.configure("t/*", in_memory);
  CHECK(app.state->db_instances.db_path("t/1") == ":memory:");
  CHECK(app.state->db_instances.db_path("x") == std::filesystem::canonical(app.dir.path()) / "x.db");
}

TEST_CASE("patterns: a bad one is refused, and so is one name in a cluster for many") {
  SteppedApp app;
  DbInstances& databases = app.state->db_instances;
  CHECK(code_of([&] { databases.add_migrator("../*", migrations({})); }) == errc::invalid_name);
  CHECK(code_of([&] { databases.configure("a b*", PoolOptions()); }) == errc::invalid_name);
  CHECK(app.spawn(databases.get_pool("t/*")).code() == errc::invalid_name);
  PoolOptions cluster;
  cluster.cluster.nodes = {"127.0.0.1:1"};
  cluster.cluster.database = "one";
  CHECK(code_of([&] { databases.configure("t/*", cluster); }) == errc::invalid_option);
  app.run(app.state->shutdown());
  CHECK(code_of([&] { databases.add_migrator("t/*", migrations({})); }) == errc::closed);
  CHECK(code_of([&] { databases.configure("t/*", PoolOptions()); }) == errc::closed);
}

}  // namespace
}  // namespace statehouse::test
