#include "lock_audit.hpp"
#include "state_support.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/health.hpp"

// Databases whose log another process checkpoints, as Litestream does.

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

PoolOptions external(std::uint64_t limit = 1 << 20) {
  PoolOptions options;
  options.readers = 1;
  options.checkpoint = checkpoint_mode::external;
  options.wal_soft_limit = limit;
  return options;
}

asio::awaitable<ExecuteResult> write_100k(const Pool& pool) {
  return pool.execute("INSERT INTO t VALUES (randomblob(100000))");
}

/// The salt of the log that a file has: another one when the log has started anew.
std::string salt_of(const fs::path& file) {
  return read_file(file.string() + "-wal").substr(16, 8);
}

health_reason trouble_of(const SteppedApp& app) {
  return app.state->db_instances.health().databases.at(0).reason;
}

std::uint64_t all_checkpoints(const DatabaseStats& stats) {
  std::uint64_t all = 0;
  for (const auto& way : stats.checkpoints) all += way.times.count();
  return all;
}

TEST_CASE("checkpoint external: refused where no other process can have the database open") {
  ThreadedApp app;
  for (const auto mode : {checkpoint_mode::external, checkpoint_mode::external_up_to_limit}) {
    const auto refused = [&](auto change) {
      PoolOptions options;
      options.checkpoint = mode;
      change(options);
      const auto for_one = code_of([&] { app.state->db_instances.configure("c", options); });
      AppStateOptions for_all;
      for_all.pool = options;
      CHECK(for_one == code_of([&] { AppState state(app.io.get_executor(), for_all); }));
      return for_one;
    };
    CHECK(refused([](PoolOptions& o) { o.in_memory = true; }) == errc::invalid_option);
    CHECK(refused([](PoolOptions& o) { o.connection.exclusive = true; }) == errc::invalid_option);
    CHECK(refused([](PoolOptions& o) { o.cluster.nodes = {"127.0.0.1:9001"}; }) == errc::invalid_option);
    PoolOptions taken;
    taken.checkpoint = mode;
    CHECK_NOTHROW(app.state->db_instances.configure("c", taken));
  }
}

TEST_CASE("checkpoint external: the pool has all that it needs, checkpoints in none of its ways, and leaves the log") {
  const LockAudit audit;
  PoolOptions options = external(64 << 10);
  SECTION("a pool") {}
  SECTION("each commit synced") {
    options.connection.synchronous = durability::full;
  }
  SECTION("one connection") {
    options.mode = pool_mode::single;
  }
  SECTION("checked at startup, and backed up") {
    options.startup_check = integrity_check::always;
    options.backup = {.every = 1h};
  }
  SteppedApp app(options);
  const auto rows =
      "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
      "SELECT randomblob(2000) FROM n; DELETE FROM t";
  app.state->db_instances.add_migrator("x",
                                       migrations({"CREATE TABLE t(x)", std::string("-- no-transaction\n") + rows}));
  const Pool pool = app.open("x");
  const fs::path file = pool.path();
  const auto setting = [&](const char* pragma) {
    const auto ask = [pragma](Connection& db) { return db.query_one<int>(pragma); };
    return app.run(pool.write_without_transaction(ask));
  };
  CHECK(setting("PRAGMA wal_autocheckpoint") == 0);
  CHECK(setting("PRAGMA journal_size_limit") == -1);
  const std::string salt = salt_of(file);
  CHECK(fs::file_size(file.string() + "-wal") > 6'000'000);
  for (int i = 0; i < 60; ++i) {
    app.run(pool.execute("INSERT INTO t VALUES (randomblob(6000))"));
    app.settle();
  }
  for (int i = 0; i < 8; ++i) {  // what is done when nothing is written
    app.clock->advance(1s);
    app.settle();
  }
  const auto vacuum = [](Connection& db) { db.execute("VACUUM"); };
  app.run(pool.write_without_transaction(vacuum));
  const auto copy = [&](Reader& db) { backup(db, app.dir / "copy"); };
  app.run(pool.read(copy));
  app.clock->advance(24h);
  app.settle();
  CHECK(all_checkpoints(pool.stats()) == 0);
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(audit.checkpoints() == 0);
  CHECK(salt_of(file) == salt);
  CHECK(fs::file_size(file) <= 8192);  // all is in the log
  CHECK(value(app.dir / "copy", "SELECT count(*) FROM t") == "60");
  CHECK(value(file, "SELECT count(*) FROM t") == "60");  // this one checkpoints when it is closed
}

TEST_CASE("checkpoint external: who asks for a checkpoint by a statement is told that it is another's to do") {
  SteppedApp app(external());
  const Pool pool = app.open("x");
  const auto ask = [](Connection& db) { db.query_all<std::tuple<int, int, int>>("PRAGMA wal_checkpoint(TRUNCATE)"); };
  auto refused = app.ended(pool.write_without_transaction(ask));
  CHECK(refused.code() == errc::statement_refused);
  CHECK(contains(refused.text(), "PoolOptions::checkpoint"));
}

TEST_CASE(
    "checkpoint external: a log over the limit is told by the log, once a minute, and by health, and nothing waits") {
  SteppedApp app(external());
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  const auto told = [&] { return app.log.count("does not: is it running?", spdlog::level::warn); };
  for (int i = 0; i < 9; ++i) app.run(write_100k(pool));
  CHECK(trouble_of(app) == health_reason::none);
  CHECK(told() == 0);
  for (int i = 0; i < 30; ++i) app.run(write_100k(pool));
  CHECK(trouble_of(app) == health_reason::log_unattended);
  CHECK(app.state->db_instances.health().ready());
  CHECK(app.state->db_instances.health().degraded());
  CHECK(told() == 1);
  app.clock->advance(61s);
  app.run(write_100k(pool));
  app.run(write_100k(pool));
  app.run(write_100k(pool));
  app.settle();
  CHECK(told() == 2);
  SECTION("forgotten where nothing is written") {
    app.clock->advance(11s);
    CHECK(trouble_of(app) == health_reason::none);
  }
  SECTION("over with the first write after the other process has come back") {
    CHECK(PlainDatabase(pool.path()).text("PRAGMA wal_checkpoint(TRUNCATE)") == "0");
    app.run(write_100k(pool));
    CHECK(trouble_of(app) == health_reason::none);
  }
  CHECK(all_checkpoints(pool.stats()) == 0);
}

TEST_CASE("checkpoint external_up_to_limit: a log over the limit is moved and cut, one below it is left") {
  const LockAudit audit;
  PoolOptions options = external();
  options.checkpoint = checkpoint_mode::external_up_to_limit;
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  for (int i = 0; i < 9; ++i) app.run(write_100k(pool));
  app.settle();
  CHECK(audit.checkpoints() == 0);
  for (int i = 0; i < 30; ++i) app.run(write_100k(pool));
  app.settle();
  CHECK(app.log.count("So this one does", spdlog::level::warn) == 1);
  const auto stats = pool.stats();
  const auto complete = static_cast<std::size_t>(checkpoint_outcome::complete);
  CHECK(stats.checkpoints[static_cast<std::size_t>(checkpoint_way::truncate)].outcomes[complete] >= 2);
  CHECK(stats.checkpoints[static_cast<std::size_t>(checkpoint_way::beside)].times.count() == 0);
  CHECK(audit.unpinned() == 0);
  CHECK(stats.wal_bytes < (1 << 20) + 200'000);
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(fs::exists(pool.path().string() + "-wal"));
  CHECK(value(pool.path(), "SELECT count(*) FROM t") == "39");
}

TEST_CASE("checkpoints are counted by way and outcome, with how long they took") {
  PoolOptions options;
  options.readers = 1;
  options.wal_soft_limit = 1 << 20;
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  const auto count = [&](checkpoint_way way, checkpoint_outcome outcome) {
    return pool.stats().checkpoints[static_cast<std::size_t>(way)].outcomes[static_cast<std::size_t>(outcome)];
  };
  for (int i = 0; i < 30; ++i) {
    app.run(write_100k(pool));
    app.settle();
  }
  CHECK(count(checkpoint_way::beside, checkpoint_outcome::complete) > 0);
  app.clock->advance(std::chrono::seconds(10));
  app.settle();  // nothing was written for a while
  CHECK(count(checkpoint_way::passive, checkpoint_outcome::complete) > 0);
  CHECK(count(checkpoint_way::truncate, checkpoint_outcome::complete) > 0);
  const auto partial = count(checkpoint_way::beside, checkpoint_outcome::partial) +
                       count(checkpoint_way::passive, checkpoint_outcome::partial);
  const PlainDatabase other(pool.path());
  other.execute("BEGIN; SELECT count(*) FROM t");
  for (int i = 0; i < 30; ++i) {
    app.run(write_100k(pool));
    app.settle();
  }
  CHECK(count(checkpoint_way::beside, checkpoint_outcome::partial) +
            count(checkpoint_way::passive, checkpoint_outcome::partial) >
        partial);
  for (const auto& way : pool.stats().checkpoints) {
    std::uint64_t outcomes = 0;
    for (const auto one : way.outcomes) outcomes += one;
    CHECK(way.times.count() == outcomes);
  }
}

}  // namespace
}  // namespace statehouse::test
