#include <cerrno>

#include "state_support.hpp"
#include "statehouse/testing/fault_vfs.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

// The end of a database whose log cannot be brought into the file.

TEST_CASE("shutdown: one whose last checkpoint failed is not clean, says why, and loses nothing") {
  testing::FaultVfs vfs;
  SteppedApp app;
  const Pool pool = app.open("x");
  const fs::path file = pool.path();
  app.run(pool.execute("CREATE TABLE t(x)"));
  app.run(pool.execute("INSERT INTO t VALUES (7)"));

  vfs.inject(
      {.kind = testing::FaultVfs::operation::sync, .result = SQLITE_IOERR_FSYNC, .system = EIO, .lasting = true});
  const ShutdownReport report = app.run(app.state->shutdown());
  vfs.heal();
  CHECK_FALSE(report.clean());
  REQUIRE(report.databases.size() == 1);
  CHECK(report.databases[0].closed);
  CAPTURE(report.databases[0].failure);
  CHECK(contains(report.databases[0].failure, "the last checkpoint failed: disk I/O error; Input/output error"));
  CHECK(contains(report.databases[0].failure, file.string() + "-wal"));
  CHECK(app.log.count("the last checkpoint failed", spdlog::level::err) == 1);
  CHECK(fs::file_size(file.string() + "-wal") > 0);

  auto next = another(app, app.dir.path());
  app.run(next->init());
  const Pool again = app.run(next->db_instances.get_pool("x"));
  CHECK(app.run(again.query_one<int>("SELECT x FROM t")) == 7);
  const ShutdownReport second = app.run(next->shutdown());
  CHECK(second.clean());
  CHECK(second.databases[0].failure.empty());
  check_closed(file);
}

TEST_CASE("shutdown: a full disk at the last checkpoint leaves the log, and the report says what to do") {
  testing::FaultVfs vfs;
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  vfs.inject({.kind = testing::FaultVfs::operation::write, .result = SQLITE_FULL, .lasting = true});
  const ShutdownReport report = app.run(app.state->shutdown());
  vfs.heal();
  CHECK_FALSE(report.clean());
  CHECK(contains(report.databases.at(0).failure, "free space"));
}

TEST_CASE("shutdown: what failed at the last checkpoint and then succeeded at the close is clean") {
  testing::FaultVfs vfs;
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  vfs.inject({.kind = testing::FaultVfs::operation::write, .result = SQLITE_IOERR_WRITE});
  const ShutdownReport report = app.run(app.state->shutdown());
  CHECK(vfs.fired());
  CHECK(report.clean());
  check_closed(pool.path());
}

}  // namespace
}  // namespace statehouse::test
