// Many databases under few connections, used, closed and removed by many at once for a long time: what each holds is at
// every moment what a model in memory says.

#include <catch2/catch_get_random_seed.hpp>
#include <fstream>

#include "soak_actor.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

/// Memory of this process, KiB.
std::size_t resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t mine = 0;
  file >> all >> mine;
  return mine * std::size_t(::sysconf(_SC_PAGESIZE)) / 1024;
}

/// Of a busy machine, and of the SQLite that is installed.
bool expected_line(const testing::LogCapture::Line& line) {
  return line.level < spdlog::level::warn || contains(line.text, " waited ") || contains(line.text, " ran ") ||
         contains(line.text, " held by ") || contains(line.text, "WAL-reset bug");
}

void check_tenant_file(const ThreadedApp& app, Tenant& tenant) {
  const fs::path file = app.dir / (tenant.name + ".db");
  const TenantModel::Look look = tenant.model.begin_read();
  std::set<std::int64_t> found;
  if (fs::exists(file)) {
    CHECK_FALSE(fs::exists(file.string() + "-wal"));
    CHECK_FALSE(fs::exists(file.string() + "-shm"));
    const PlainDatabase plain(file);
    CHECK(plain.text("PRAGMA integrity_check") == "ok");
    CHECK(plain.scalar("SELECT count(*) FROM _sqlx_migrations WHERE success") == 2);
    for (const std::string& value : plain.column("SELECT v FROM t")) found.insert(std::stoll(value));
    CHECK(plain.scalar("SELECT n FROM total") == std::int64_t(found.size()));
  }
  tenant.model.end_read(look, found);
  CHECK(tenant.model.wrong() == std::vector<std::string>{});
}

TEST_CASE(
    "soak: databases that are used, closed and removed by many at once, under a budget: each holds what was "
    "acknowledged and nothing that failed, and nothing is left open") {
  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  SoakWorld world(soak_size());
  ThreadedApp app(soak_options(world), 3);
  app.log.logger()->set_level(spdlog::level::warn);
  app.state->db_instances.add_migrator(
      "tenants/*/state",
      migrations({"CREATE TABLE t(v INTEGER PRIMARY KEY); CREATE TABLE total(n); INSERT INTO total VALUES (0);",
                  "CREATE TRIGGER t_total AFTER INSERT ON t BEGIN UPDATE total SET n = n + 1; END;"}));
  std::vector<std::unique_ptr<SoakActor>> actors;
  for (int i = 0; i < world.size.actors; ++i)
    actors.push_back(std::make_unique<SoakActor>(world, app, i, seed + unsigned(i)));
  const auto all = [&](asio::awaitable<void> (SoakActor::*what)()) {
    std::vector<std::future<void>> running;
    for (const auto& actor : actors) running.push_back(app.spawn(((*actor).*what)()));
    if (long_form() && what == &SoakActor::work) {
      running[0].wait_for(long_time / 2);
      WARN(resident() << " KiB after half of the time, " << world.done << " operations");
    }
    for (auto& each : running) each.get();
  };

  all(&SoakActor::look_at_all);
  world.end = std::chrono::steady_clock::now() + long_time;
  all(&SoakActor::work);
  if (long_form()) WARN(resident() << " KiB at the end");
  CHECK(eventually([&] { return world.connections.open() == 0; }));  // all fall asleep
  CHECK(open_descriptors(app.dir.path()) == 0);
  all(&SoakActor::look_at_all);  // and wake

  INFO(world.done << " done, closed, timeout, cancelled, undone, removed: " << world.failed[0] << ' ' << world.failed[1]
                  << ' ' << world.failed[2] << ' ' << world.failed[3] << ' ' << world.failed[4]);
  CHECK(world.wrong == std::vector<std::string>{});
  // Not by stats(), which looks at one database after the other while connections go from one to another.
  CHECK(world.connections.most() <= world.size.connections);
  const ShutdownReport report = app.run(app.state->shutdown());
  CHECK(report.clean());
  CHECK(world.connections.open() == 0);
  CHECK(open_descriptors(app.dir.path()) == 0);
  for (const auto& line : app.log.lines()) {
    CAPTURE(line.text);
    CHECK(expected_line(line));
  }
  std::size_t kept = 0;
  for (Tenant& tenant : world.tenants) {
    CAPTURE(tenant.name);
    check_tenant_file(app, tenant);
    kept += tenant.model.kept();
  }
  CHECK(kept > 0);
  if (long_form()) WARN(world.done << " operations, " << kept << " values kept");
}

}  // namespace
}  // namespace statehouse::test
