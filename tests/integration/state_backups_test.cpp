#include <catch2/catch_get_random_seed.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <random>

#include "state_support.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/metrics.hpp"

// Backups that a pool makes by itself.

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

PoolOptions hourly(std::size_t keep = 3) {
  PoolOptions options;
  options.readers = 1;
  options.backup = {.every = 1h, .keep = keep};
  return options;
}

/// An app whose one database is big enough for a backup of many slices.
struct Backed : SteppedApp {
  explicit Backed(PoolOptions options = hourly()) : SteppedApp(std::move(options)) {
    pool = open("x");
    run(pool.execute("CREATE TABLE t(x)"));
    run(
        pool.execute("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
                     "INSERT INTO t SELECT randomblob(3000) FROM n"));
  }
  std::vector<fs::path> backups() const { return backups_of(dir / "x.db", dir / "backups"); }
  BackupStats stats() const { return pool.stats().backups.value(); }
  std::string files() const {
    std::string text;
    for (const auto& name : names_in(dir / "backups")) text += name + ' ';
    return text;
  }
  static int rows(const fs::path& file) { return std::stoi(value(file, "SELECT count(*) FROM t")); }
  void pass(Clock::duration time) {
    clock->advance(time);
    settle();
  }

  Pool pool;
};

}  // namespace

TEST_CASE("scheduled backups: the first soon after the opening, then one every so often, and so many of them") {
  Backed app(hourly(2));
  CHECK_FALSE(app.stats().last);
  app.pass(1s);
  REQUIRE(app.backups().size() == 1);
  CHECK(app.rows(app.backups()[0]) == 1000);
  CHECK(mode_of(app.backups()[0]) == 0600);
  CHECK(mode_of(app.dir / "backups") == 0700);
  app.pass(1h - 2s);
  CHECK(app.backups().size() == 1);
  app.run(app.pool.execute("DELETE FROM t WHERE rowid > 10"));
  app.pass(2s);
  REQUIRE(app.backups().size() == 2);
  CHECK(app.rows(app.backups()[1]) == 10);
  const fs::path second = app.backups()[1];
  app.pass(1h + 1s);
  CHECK(app.backups().size() == 2);
  CHECK(app.backups()[0] == second);
  CHECK(names_in(app.dir / "backups").size() == 2);
  CHECK(app.log.count("database 'x': backed up to x.db.", spdlog::level::info) == 3);
  CHECK(app.log.count("", spdlog::level::err) == 0);
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(app.pool.path());
}

TEST_CASE("scheduled backups: none unless asked for, and none of a database in memory; neither has metrics of them") {
  PoolOptions options;
  SECTION("not asked for") {}
  SECTION("in memory") {
    options = hourly();
    options.in_memory = true;
  }
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.clock->advance(48h);
  app.settle();
  CHECK_FALSE(pool.stats().backups);
  CHECK_FALSE(fs::exists(app.dir / "backups"));
  CHECK(prometheus_text(app.state->db_instances.stats()).find("backup_timestamp_seconds{") == std::string::npos);
}

// one database thread:    | slice | write | slice | write | ... | check, rename |
TEST_CASE("scheduled backups: what waits for a thread has its turn after each slice, and is not in the backup") {
  Backed app;
  app.clock->advance(1s);
  int written = 0;
  int slices = 0;
  while (app.backups().empty()) {
    REQUIRE(slices < 100);
    auto write = app.spawn(app.pool.execute("INSERT INTO t VALUES (1)"));
    int steps = 0;
    while (!write.done()) {
      REQUIRE(app.step_db());
      while (app.step_io()) {
      }
      ++steps;
    }
    write.get();
    ++written;
    CHECK(steps <= 2);  // at most one slice before it
    ++slices;
  }
  CHECK(slices > 3);
  CHECK(app.rows(app.backups()[0]) == 1000);
  CHECK(app.rows(app.pool.path()) == 1000 + written);
}

// the threads' queue:    | slice of x | write | slice of y | write | slice of x | ...
TEST_CASE("scheduled backups: those of all databases take turns, so that together they have one thread") {
  Backed app;
  const Pool other = app.open("y");
  app.run(other.execute("CREATE TABLE t(x)"));
  app.run(other.execute("INSERT INTO t VALUES (zeroblob(4000000))"));
  app.clock->advance(1s);
  const auto made = [&] { return app.backups().size() + backups_of(other.path(), app.dir / "backups").size(); };
  bool together = false;
  for (int slices = 0; made() < 2; ++slices) {
    REQUIRE(slices < 200);
    auto write = app.spawn(app.pool.execute("INSERT INTO t VALUES (1)"));
    int steps = 0;
    while (!write.done()) {
      REQUIRE(app.step_db());
      while (app.step_io()) {
      }
      ++steps;
    }
    write.get();
    CHECK(steps <= 2);  // at most one slice before it, of whichever
    if (fs::exists(app.dir / "backups"))
      together = together || std::ranges::count_if(names_in(app.dir / "backups"),
                                                   [](const auto& name) { return name.ends_with(".partial"); }) == 2;
  }
  CHECK(together);
}

TEST_CASE("scheduled backups: with a single connection, which is another one's, too") {
  PoolOptions options = hourly();
  options.mode = pool_mode::single;
  Backed app(options);
  std::optional<Transaction> held(app.run(app.pool.begin()));
  app.run(held->execute("DELETE FROM t"));
  app.pass(1s);
  REQUIRE(app.backups().size() == 1);
  CHECK(app.rows(app.backups()[0]) == 1000);
  held.reset();
  CHECK(app.run(app.state->shutdown()).clean());
}

TEST_CASE("scheduled backups: a service that is started again goes on where the last one ended") {
  Backed app;
  app.pass(1s);
  REQUIRE(app.backups().size() == 1);
  const BackupStats made = app.stats();
  CHECK(made.last);
  CHECK(made.last_bytes == fs::file_size(app.backups()[0]));
  app.run(app.state->shutdown());
  AppStateOptions options;
  options.data_dir = app.dir.path();
  options.pool = hourly();
  options.database_executor = app.db.get_executor();
  options.clock = app.clock;
  options.logger = app.log.logger();
  AppState again(app.io.get_executor(), std::move(options));
  app.run(again.init());
  const Pool pool = app.run(again.db_instances.get_pool("x"));
  app.pass(1s);
  CHECK(pool.stats().backups->last == made.last);
  CHECK(pool.stats().backups->last_bytes == made.last_bytes);
  app.pass(30min);
  CHECK(app.backups().size() == 1);
  app.pass(30min + 1s);
  CHECK(app.backups().size() == 2);
  app.run(again.shutdown());
}

TEST_CASE("scheduled backups: one from a time that is to come, before the clock was set right, puts off none") {
  Backed app;
  app.pass(1s);
  REQUIRE(app.backups().size() == 1);
  app.run(app.state->shutdown());
  std::string future = app.backups()[0].string();
  future.replace(future.find("x.db.2"), 9, "x.db.2999");
  fs::rename(app.backups()[0], future);
  fs::last_write_time(future, fs::file_time_type::clock::now() + 24h * 365);
  AppStateOptions options;
  options.data_dir = app.dir.path();
  options.pool = hourly();
  options.database_executor = app.db.get_executor();
  options.clock = app.clock;
  options.logger = app.log.logger();
  AppState again(app.io.get_executor(), std::move(options));
  app.run(again.init());
  const Pool pool = app.run(again.db_instances.get_pool("x"));
  app.pass(1s);
  CHECK(app.backups().size() == 2);
  CHECK(pool.stats().backups->last <= std::chrono::system_clock::now());
  app.run(again.shutdown());
}

TEST_CASE("scheduled backups: one that fails is told, counted and tried again, and the older ones stay") {
  Backed app(hourly(1));
  app.pass(1s);
  const auto first = app.backups();
  REQUIRE(first.size() == 1);
  fs::rename(app.dir / "backups", app.dir / "elsewhere");
  write_file(app.dir / "backups", "in the way");
  app.pass(1h);
  CHECK(app.stats().failures == 1);
  CHECK(contains(app.stats().last_error, "directory of the backups"));
  CHECK(app.log.count("database 'x': no backup: ", spdlog::level::err) == 1);
  CHECK(contains(prometheus_text(app.state->db_instances.stats()),
                 "statehouse_backup_failures_total{database=\"x\"} 1\n"));
  app.pass(5min - 1s);
  CHECK(app.stats().failures == 1);
  app.pass(1s);
  CHECK(app.stats().failures == 2);
  fs::remove(app.dir / "backups");
  fs::rename(app.dir / "elsewhere", app.dir / "backups");
  app.pass(5min);
  CHECK(app.stats().last_error.empty());
  CHECK(app.stats().failures == 2);
  REQUIRE(app.backups().size() == 1);
  CHECK(app.backups() != first);
}

TEST_CASE("scheduled backups: their directory, which may not answer, is not looked at when the database is opened") {
  SteppedApp app(hourly());
  write_file(app.dir / "backups", "in the way");
  const Pool pool = app.open("x");
  CHECK(app.log.count("directory of the backups") == 0);
  CHECK(pool.stats().backups->failures == 0);
  app.clock->advance(1s);
  app.settle();
  CHECK(app.log.count("directory of the backups", spdlog::level::err) == 1);
  CHECK(pool.stats().backups->failures == 1);
}

// backup                 writer
// copies a part
//                        commits: the log is over its limit, and cannot be cut
TEST_CASE("scheduled backups: a log that one keeps long is told to be kept by it, not by another process") {
  PoolOptions options = hourly();
  options.mode = GENERATE(pool_mode::wal, pool_mode::single);
  options.wal_soft_limit = 1 << 20;
  Backed app(std::move(options));
  app.clock->advance(1s);
  while (!fs::exists(app.dir / "backups") || names_in(app.dir / "backups").empty()) REQUIRE(app.step_db());
  auto write = app.spawn(app.pool.execute("INSERT INTO t VALUES (zeroblob(2000000))"));
  while (!write.done() || app.log.count("cannot be cut") == 0) REQUIRE((app.step_io() || app.step_db()));
  write.get();
  REQUIRE(app.backups().empty());
  CHECK(app.log.count("cannot be cut: a reader connection is held by backup at x.db.2", spdlog::level::warn) == 1);
  CHECK(app.log.count("another process") == 0);
}

TEST_CASE("scheduled backups: the shutdown waits for none, and leaves nothing half made") {
  Backed app;
  app.pass(1s);
  const std::string made = app.files();
  app.clock->advance(1h);
  const int slices = GENERATE(0, 1, 2);
  CAPTURE(slices);
  const auto begun = [&] { return names_in(app.dir / "backups").size() == 2; };
  while (slices > 0 && !begun()) REQUIRE(app.step_db());  // the chores of an idle pool come first
  for (int i = 1; i < slices; ++i) REQUIRE(app.step_db());
  CHECK(begun() == (slices > 0));
  SECTION("awaited") {
    auto stopped = app.spawn(app.state->shutdown());
    CHECK(app.finish(stopped, 20).clean());
  }
  SECTION("by the destructor alone, without a database thread") {
    app.state.reset();
  }
  CHECK(app.files() == made);
  check_closed(app.dir / "x.db");
}

TEST_CASE("scheduled backups: on real threads, a shutdown at any moment is clean and leaves nothing half made") {
  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::size_t made = 0;
  for (int round = 0; round < 20; ++round) {
    AppStateOptions options;
    options.clock = std::make_shared<testing::ManualClock>();
    options.pool = hourly();
    testing::ManualClock& clock = static_cast<testing::ManualClock&>(*options.clock);
    ThreadedApp app(std::move(options));
    const Pool pool = app.open("x");
    app.run(pool.execute("CREATE TABLE t(x)"));
    app.run(pool.execute("INSERT INTO t VALUES (zeroblob(4000000))"));
    const int writes = static_cast<int>(random() % 20);
    for (int i = 0; i < writes; ++i) {
      clock.advance(1h);
      app.run(pool.execute("INSERT INTO t VALUES (?)", i));
    }
    CHECK(app.run(app.state->shutdown()).clean());
    check_closed(pool.path());
    if (!fs::exists(app.dir / "backups")) continue;
    const auto names = names_in(app.dir / "backups");
    CHECK(names.size() == backups_of(pool.path(), app.dir / "backups").size());
    made += names.size();
  }
  CHECK(made > 0);
}

TEST_CASE("scheduled backups: their numbers are metrics") {
  Backed app;
  CHECK(contains(prometheus_text(app.state->db_instances.stats()),
                 "statehouse_last_backup_timestamp_seconds{database=\"x\"} 0\n"));
  app.pass(1s);
  const std::string text = prometheus_text(app.state->db_instances.stats());
  CHECK(contains(text, "statehouse_last_backup_size_bytes{database=\"x\"} " +
                           std::to_string(fs::file_size(app.backups()[0])) + '\n'));
  CHECK(contains(text, "statehouse_backup_failures_total{database=\"x\"} 0\n"));
  CHECK_FALSE(contains(text, "statehouse_last_backup_timestamp_seconds{database=\"x\"} 0\n"));
}

}  // namespace statehouse::test
