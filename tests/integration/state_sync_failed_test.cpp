// A database whose disk has not taken what was moved into it.

#include <thread>

#include "state_support.hpp"
#include "statehouse/testing/fault_vfs.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

TEST_CASE("health: a disk that loses a part of the file ends the database at once, and a restart has all of it") {
  testing::FaultVfs vfs;
  PoolOptions options;
  options.readers = 1;
  options.wal_soft_limit = 1 << 20;
  std::function<void()> hook;
  options.connection.on_connect = with_hook(hook);
  SteppedApp app(options);
  DbInstances& databases = app.state->db_instances;
  const Pool pool = app.open("x");
  const fs::path file = pool.path();
  app.run(pool.execute("CREATE TABLE t(a)"));
  // A read keeps the turn from the end of the log.
  const auto writes = [&] {
    vfs.inject({.kind = testing::FaultVfs::operation::sync, .nth = 2, .result = SQLITE_IOERR_FSYNC, .system = EIO});
    app.run(pool.execute("INSERT INTO t VALUES (1)"));
    app.run(pool.execute("INSERT INTO t VALUES (zeroblob(60000))"));
    app.settle();
  };
  hook = [&] { std::jthread(writes).join(); };
  auto read = app.spawn(pool.query_one<int>("SELECT hook() + 0 * a FROM (SELECT count(*) AS a FROM t)"));
  app.settle();
  CHECK(read.completions() == 1);
  CHECK(vfs.fired());
  vfs.heal();
  CHECK(app.log.count("restart the service", spdlog::level::err) == 1);  // nobody has asked for anything
  CHECK(app.code(pool.execute("INSERT INTO t VALUES (2)")) == errc::sync_failed);
  CHECK(app.code(pool.query_one<int>("SELECT 1")) == errc::sync_failed);
  CHECK(open_descriptors(file) == 0);
  CHECK(fs::file_size(file.string() + "-wal") > 60'000);

  app.clock->advance(1s);
  app.settle();
  CHECK(app.spawn(databases.get_pool("x")).code() == errc::sync_failed);
  const Health health = databases.health();
  CHECK(health.databases.at(0).reason == health_reason::sync_failed);
  CHECK_FALSE(health.live());
  const DatabaseStats stats = databases.stats().at(0);
  CHECK(stats.state == database_state::failed);
  CHECK(contains(stats.last_error, "Input/output error"));
  CHECK(app.log.count("restart the service", spdlog::level::err) == 1);
  const ShutdownReport report = app.run(app.state->shutdown());
  CHECK(contains(report.databases.at(0).failure, file.string() + "-wal"));

  auto next = another(app, app.dir.path());
  app.run(next->init());
  const Pool again = app.run(next->db_instances.get_pool("x"));
  CHECK(app.run(again.query_one<int>("SELECT count(*) FROM t")) == 2);
  CHECK(app.run(next->shutdown()).clean());
  check_closed(file);
}

TEST_CASE("health: a disk that loses what the writer has moved ends the database before its next operation") {
  testing::FaultVfs vfs;
  PoolOptions options;
  options.readers = 1;
  options.wal_soft_limit = 1 << 20;
  options.connection.synchronous = durability::full;  // the writer moves
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(a)"));
  constexpr const char* insert = "INSERT INTO t VALUES (zeroblob(600000))";  // makes a checkpoint due
  {
    const PlainDatabase reader(pool.path());
    reader.execute("BEGIN; SELECT count(*) FROM t");
    app.run(pool.execute(insert));
    app.settle();
  }
  vfs.inject({.kind = testing::FaultVfs::operation::sync, .nth = 2, .result = SQLITE_IOERR_FSYNC, .system = EIO});
  app.run(pool.execute(insert));  // the first sync
  app.settle();
  CHECK(vfs.fired());
  vfs.heal();
  CHECK(app.code(pool.execute("INSERT INTO t VALUES (2)")) == errc::sync_failed);
  CHECK(app.log.count("restart the service", spdlog::level::err) == 1);
  CHECK(open_descriptors(pool.path()) == 0);
  app.run(app.state->shutdown());
  auto next = another(app, app.dir.path());
  app.run(next->init());
  const Pool again = app.run(next->db_instances.get_pool("x"));
  CHECK(app.run(again.query_one<int>("SELECT count(*) FROM t")) == 2);
  CHECK(app.run(next->shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
