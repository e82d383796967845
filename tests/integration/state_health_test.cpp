// What `health()` says of databases in every state of their life, for the probes of whoever runs the service.

#include <catch2/generators/catch_generators.hpp>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

DatabaseHealth of(const Health& health, std::string_view name) {
  for (const DatabaseHealth& one : health.databases)
    if (one.name == name) return one;
  FAIL("nothing about " << name);
  return {};
}

struct Probed : SteppedApp {
  using SteppedApp::SteppedApp;

  DbInstances& databases() { return state->db_instances; }
  Health health() { return databases().health(); }
  health_reason reason(std::string_view name = "x") { return of(health(), name).reason; }
  void optional(std::string_view name) { databases().configure(name, PoolOptions{.required = false}); }
};

TEST_CASE("health: a service is ready when it is initialised and each database that was mentioned is open") {
  Probed app;
  app.databases().add_migrator("x", migrations({"CREATE TABLE t(a)"}));
  CHECK_FALSE(app.health().initialised);
  CHECK_FALSE(app.health().ready());
  CHECK(app.health().live());
  app.run(app.state->init());
  CHECK(app.health().initialised);
  CHECK_FALSE(app.health().started());
  CHECK(app.reason() == health_reason::not_opened);
  CHECK(of(app.health(), "x").state == database_state::closed);

  auto opening = app.spawn(app.databases().get_pool("x"));
  CHECK(app.reason() == health_reason::opening);
  CHECK_FALSE(app.health().ready());
  app.finish(opening);
  CHECK(app.reason() == health_reason::none);
  CHECK(of(app.health(), "x").state == database_state::ready);
  CHECK(app.health().started());
  CHECK(app.health().ready());
  CHECK_FALSE(app.health().degraded());
}

TEST_CASE("health: a service without a database is ready when it is initialised") {
  Probed app;
  CHECK_FALSE(app.health().ready());
  app.run(app.state->init());
  CHECK(app.health().ready());
  CHECK(app.health().databases.empty());
}

TEST_CASE("health: tells which migration runs, and of how many, and who is told by the options hears of it too") {
  std::vector<std::string> seen;
  std::vector<std::int64_t> told;
  Probed* probed = nullptr;
  std::function<void()> hook = [&] {
    const DatabaseHealth now = of(probed->health(), "x");
    REQUIRE(now.migration.has_value());
    seen.push_back(std::string(to_string(now.reason)) + " " + std::to_string(now.migration->version) + " " +
                   std::to_string(now.migration->index) + "/" + std::to_string(now.migration->total));
    CHECK_FALSE(probed->health().started());
    CHECK(probed->health().live());
  };
  AppStateOptions options;
  options.pool.connection.on_connect = with_hook(hook);
  Probed app(std::move(options));
  probed = &app;
  MigratorOptions with;
  with.on_begin = [&](const MigrationProgress& progress) { told.push_back(progress.migration.version); };
  app.databases().add_migrator("x", migrations({"SELECT hook()", "CREATE TABLE t(a)", "SELECT hook()"}, with));
  app.open("x");
  CHECK(seen == std::vector<std::string>{"migrating 1 1/3", "migrating 3 3/3"});
  CHECK(told == std::vector<std::int64_t>{1, 2, 3});
  CHECK(app.reason() == health_reason::none);
  CHECK_FALSE(of(app.health(), "x").migration.has_value());
}

TEST_CASE("stats: tells what the opening took, and how much of it its migrations") {
  SteppedApp* stepped = nullptr;
  std::function<void()> hook = [&] { stepped->clock->advance(2s); };
  AppStateOptions options;
  options.pool.connection.on_connect = with_hook(hook);
  SteppedApp app(std::move(options));
  stepped = &app;
  app.state->db_instances.add_migrator("x", migrations({"SELECT hook()", "CREATE TABLE t(a)"}));
  const DatabaseStats stats = app.open("x").stats();
  CHECK(stats.migrations_applied == 2);
  CHECK(stats.migration_time == 2s);
  CHECK(stats.opening_time == 2s);
  const DatabaseStats none = app.open("y").stats();
  CHECK(none.migrations_applied == 0);
  CHECK(none.migration_time == 0s);
}

TEST_CASE("health: what cannot be opened has failed until somebody opens it, and the service has not started") {
  Probed app;
  app.databases().add_migrator("x", migrations({"CREATE TABLE t(a)", "nonsense"}));
  app.run(app.state->init());
  CHECK(app.spawn(app.databases().get_pool("x")).done() == false);
  app.settle();
  CHECK(app.reason() == health_reason::failed);
  CHECK_FALSE(of(app.health(), "x").migration.has_value());
  CHECK_FALSE(app.health().started());
  CHECK_FALSE(app.health().ready());
  CHECK(app.health().live());  // a restart would not mend it
  app.databases().add_migrator("x", migrations({"CREATE TABLE t(a)"}));
  app.open("x");
  CHECK(app.health().ready());
}

TEST_CASE("health: what is not required may be anything, and the service is ready, but degraded") {
  Probed app;
  app.optional("x");
  app.databases().add_migrator("x", migrations({"nonsense"}));
  app.open("y");
  CHECK(app.health().started());
  CHECK(app.health().ready());
  CHECK(app.health().degraded());
  CHECK_FALSE(of(app.health(), "x").required);
  CHECK(of(app.health(), "y").required);
  auto failing = app.spawn(app.databases().get_pool("x"));
  app.settle();
  CHECK(failing.failed());
  CHECK(app.reason() == health_reason::failed);
  CHECK(app.health().degraded());
}

TEST_CASE("health: a lost file is what only a restart helps against, and is found by the look once a second alone") {
  Probed app;
  const bool required = GENERATE(true, false);
  if (!required) app.optional("x");
  const Pool pool = app.open("x");
  std::filesystem::remove(pool.path());
  CHECK(app.reason() == health_reason::none);  // nobody has looked
  app.clock->advance(1s);
  app.settle();
  CHECK(app.reason() == health_reason::file_replaced);
  CHECK(app.health().live() == !required);
  CHECK(app.health().ready() == !required);
}

TEST_CASE("health: a full queue is told as long as it is full") {
  AppStateOptions options;
  options.pool.max_waiting = 1;
  Probed app(std::move(options));
  const Pool pool = app.open("x");
  std::optional<Transaction> holder(app.run(pool.begin()));
  CHECK(app.reason() == health_reason::none);
  auto waiting = app.spawn(pool.execute("CREATE TABLE t(a)"));
  CHECK(app.reason() == health_reason::queue_full);
  CHECK_FALSE(app.health().ready());
  CHECK(app.health().started());
  holder.reset();
  app.finish(waiting);
  CHECK(app.reason() == health_reason::none);
}

/// A database that has no space for more than some pages.
PoolOptions small() {
  PoolOptions options;
  options.connection.on_connect = [](Connection& connection, connection_role) {
    connection.native().exec("PRAGMA max_page_count = 20");
  };
  return options;
}

TEST_CASE("health: a full disk is told until nothing has found it for ten seconds") {
  Probed app(small());
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(a)"));
  CHECK(app.reason() == health_reason::none);
  const auto fill = [&] { return app.code(pool.execute("INSERT INTO t VALUES (zeroblob(1000000))")); };
  CHECK(fill() == make_sqlite_error(13));
  CHECK(app.reason() == health_reason::disk_full);
  CHECK_FALSE(app.health().ready());
  app.run(pool.query_all<int>("SELECT 1"));
  CHECK(app.reason() == health_reason::disk_full);
  app.run(pool.execute("INSERT INTO t VALUES (1)"));  // a small one may still find space
  CHECK(app.reason() == health_reason::disk_full);
  app.clock->advance(5s);
  CHECK(fill() == make_sqlite_error(13));
  app.clock->advance(10s - 1ns);
  CHECK(app.reason() == health_reason::disk_full);
  app.clock->advance(2ns);
  CHECK(app.reason() == health_reason::none);
}

TEST_CASE("health: after a shutdown has begun nothing is ready, and it can still be asked") {
  Probed app;
  const Pool pool = app.open("x");
  app.databases().add_migrator("never", migrations({}));
  const Transaction holder = app.run(pool.begin());
  auto stopping = app.spawn(app.state->shutdown());
  CHECK(app.health().stopping);
  CHECK(app.reason() == health_reason::shutting_down);
  CHECK(app.reason("never") == health_reason::shutting_down);
  CHECK_FALSE(app.health().ready());
  CHECK(app.health().live());
  app.clock->advance(10s);
  app.settle();
  CHECK(stopping.done());
  CHECK(app.reason() == health_reason::shutting_down);
}

}  // namespace
}  // namespace statehouse::test
