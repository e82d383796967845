#include <algorithm>
#include <boost/asio/use_future.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "litestream.hpp"
#include "lock_audit.hpp"
#include "neighbour.hpp"
#include "random.hpp"
#include "state_support.hpp"
#include "statehouse/statehouse.hpp"
#include "telling_child.hpp"

// A service beside a process that checkpoints in its place: Litestream, where it is installed, and a plain one always.

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

PoolOptions checkpointed_by_another() {
  PoolOptions options;
  options.readers = 1;
  options.acquire_timeout = patience;
  options.checkpoint = checkpoint_mode::external;
  return options;
}

/// A service in a process of its own that writes the rows 1, 2, 3 and so on, and tells each when it is committed.
class WritingService {
 public:
  explicit WritingService(const fs::path& dir) : child_([&](int end) { write_rows(dir, end); }) {}

  /// Reads until so many are committed.
  void follow(int row) {
    while (last_ < row)
      if (std::fscanf(child_.lines(), "%d\n", &last_) != 1) FAIL("the service has ended after row " << last_);
  }
  /// Gives the last row that it has told of.
  int kill() {
    child_.kill();
    while (std::fscanf(child_.lines(), "%d\n", &last_) == 1) {
    }
    CHECK(child_.wait_for_kill());
    return last_;
  }

 private:
  static void write_rows(const fs::path& dir, int out) {
    Spawner spawn;
    asio::io_context io;
    testing::LogCapture log;
    AppStateOptions options;
    options.data_dir = dir;
    options.logger = log.logger();
    options.database_threads = 2;
    options.pool = checkpointed_by_another();
    AppState state(io.get_executor(), std::move(options));
    state.db_instances.add_migrator(
        "x", migrations({"CREATE TABLE t(a INTEGER PRIMARY KEY, b, at DEFAULT (julianday('now')))"}));
    const auto write = [&]() -> asio::awaitable<void> {
      co_await state.init();
      const Pool pool = co_await state.db_instances.get_pool("x");
      for (;;) {
        const auto done = co_await pool.execute("INSERT INTO t(b) VALUES (randomblob(500))");
        const std::string line = std::to_string(done.last_insert_rowid) + '\n';
        if (::write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(1);
      }
    };
    auto life = spawn(io.get_executor(), write);
    io.run();
    life.get();
  }

  TellingChild child_;
  int last_ = 0;
};

/// A database without a fault that has the rows 1 to what is given back, and no others.
int rows_in(const fs::path& file) {
  const PlainDatabase database(file);
  CHECK(database.text("PRAGMA quick_check") == "ok");
  const auto rows = static_cast<int>(database.scalar("SELECT count(*) FROM t"));
  CHECK(database.scalar("SELECT total(a) = count(*) * (count(*) + 1) / 2 FROM t") == 1);
  return rows;
}

/// When the last of them was written.
std::int64_t milliseconds_to(const fs::path& file) {
  return PlainDatabase(file).scalar("SELECT max(at) * 86400000 FROM t");
}

bool not_installed() {
  if (!Litestream::program().empty()) return false;
  WARN("NOT TESTED with the real Litestream, since it is not installed: tools/setup --ci does so where npm is");
  return true;
}

AppStateOptions beside_another(std::uint64_t soft_limit = 64 << 20) {
  AppStateOptions options;
  options.pool = checkpointed_by_another();
  options.pool.wal_soft_limit = soft_limit;
  return options;
}

Pool open_with_rows(ThreadedApp& app) {
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(a INTEGER PRIMARY KEY, b)"}));
  return app.open("x");
}

/// Several callers at once. Who finds the database locked for too long, as by a process that is stopped while it has
/// the write lock, tries again.
void write_rows(ThreadedApp& app, const Pool& pool, int count) {
  const auto some = [&pool, part = count / 4]() -> asio::awaitable<void> {
    for (int done = 0; done < part;) {
      try {
        co_await pool.execute("INSERT INTO t(b) VALUES (randomblob(500))");
        ++done;
      } catch (const Error& error) {
        if (error.code() != condition::busy) throw;
      }
    }
  };
  std::vector<std::future<void>> all;
  for (int i = 0; i < 4; ++i) all.push_back(app.spawn(some));
  for (auto& one : all) one.get();
}

health_reason trouble_of(const ThreadedApp& app) {
  return app.state->db_instances.health().databases.at(0).reason;
}

TEST_CASE("litestream: a service is killed, and what it has acknowledged is in the replica, all of it") {
  if (not_installed()) SKIP("no litestream");
  const testing::TempDir dir;
  fs::create_directory(dir / "data");
  WritingService service(dir / "data");
  service.follow(1);
  Litestream litestream(dir.path(), dir / "data" / "x.db");
  REQUIRE(litestream.follows());
  service.follow(3000);
  const int acknowledged = service.kill();
  CAPTURE(acknowledged);
  CHECK(eventually([&] { return litestream.restore(dir / "restored") && rows_in(dir / "restored") >= acknowledged; }));
  litestream.stop();
  // It has checkpointed meanwhile, and nobody else.
  CHECK(fs::file_size(dir / "data" / "x.db") > 1'000'000);
}

// service                      Litestream                     test
// 1, 2, 3 ...                  copies, checkpoints            restores: it has the rows to n
// ... m                                                       KILLs both
//                                                             restores: it has all to n, perhaps to m, and is whole
// How much is missing is told, not judged: a machine that is busy copies later.
TEST_CASE("litestream: both are killed, and the replica is whole, never goes back, and what it lacks is told") {
  if (not_installed()) SKIP("no litestream");
  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  CAPTURE(seed);
  Random random(seed);
  for (const char* const interval : {"50ms", "1s"}) {  // of the other tests, and of the guide
    CAPTURE(interval);
    const testing::TempDir dir;
    fs::create_directory(dir / "data");
    WritingService service(dir / "data");
    service.follow(1);
    Litestream litestream(dir.path(), dir / "data" / "x.db", interval);
    int copied = 0;
    const auto goes_on = [&] {
      service.follow(copied);
      return eventually([&, before = copied] {
        return litestream.restore(dir / "restored") && (copied = rows_in(dir / "restored")) > before;
      });
    };
    REQUIRE(goes_on());
    REQUIRE(goes_on());
    service.follow(copied + 1000 + random.below(1000));
    const int acknowledged = service.kill();
    litestream.kill();
    REQUIRE(litestream.restore(dir / "restored"));
    const int restored = rows_in(dir / "restored");
    const int written = rows_in(dir / "data" / "x.db");
    CHECK(restored >= copied);
    CHECK(written >= acknowledged);
    WARN("copied each " << interval << ": of " << acknowledged << " rows that were acknowledged the replica lacks "
                        << std::max(0, acknowledged - restored) << ", which were written in the last "
                        << milliseconds_to(dir / "data" / "x.db") - milliseconds_to(dir / "restored") << " ms");
  }
}

TEST_CASE("litestream: a service that is stopped and started again leaves it where it was: one generation") {
  if (not_installed()) SKIP("no litestream");
  ThreadedApp app(beside_another());
  std::optional<Litestream> litestream;
  for (int start = 0; start < 3; ++start) {
    const Pool pool = open_with_rows(app);
    if (!litestream) litestream.emplace(app.dir.path(), pool.path());
    REQUIRE(litestream->follows());
    write_rows(app, pool, 400);
    CHECK(app.run(app.state->shutdown()).clean());
    AppStateOptions options = beside_another();
    options.data_dir = app.dir.path();
    options.logger = app.log.logger();
    app.state.emplace(app.io.get_executor(), std::move(options));
    app.run(app.state->init());
  }
  // Before it is stopped: one that was stopped at once may have copied only what was there at its last interval.
  CHECK(eventually([&] { return litestream->restore(app.dir / "restored") && rows_in(app.dir / "restored") == 1200; }));
  litestream->stop();
  CAPTURE(litestream->said());
  CHECK(litestream->generations() == 1);
}

TEST_CASE(
    "litestream: absent, late, stopped, killed and back: the service writes on, and in the end the replica has all") {
  if (not_installed()) SKIP("no litestream");
  ThreadedApp app(beside_another(1 << 20));
  const Pool pool = open_with_rows(app);
  int rows = 0;
  const auto write = [&](int count) {
    write_rows(app, pool, count);
    rows += count;
  };
  const auto until = [&](health_reason wanted) {
    return eventually([&] {
      write(40);
      return trouble_of(app) == wanted;
    });
  };
  CHECK(until(health_reason::log_unattended));
  CHECK(app.state->db_instances.health().ready());
  CHECK(app.log.count("is it running?", spdlog::level::warn) == 1);
  Litestream litestream(app.dir.path(), pool.path());
  CHECK(until(health_reason::none));
  litestream.pause();
  CHECK(until(health_reason::log_unattended));
  litestream.resume();
  CHECK(until(health_reason::none));
  litestream.kill();
  CHECK(until(health_reason::log_unattended));
  litestream.start();
  CHECK(until(health_reason::none));
  CHECK(app.run(app.state->shutdown()).clean());
  CAPTURE(rows);
  CHECK(eventually([&] { return litestream.restore(app.dir / "restored") && rows_in(app.dir / "restored") == rows; }));
  litestream.stop();
}

/// As another program would do it. Under a pin, see WriteAheadLog: this SQLite may have the bug that it is for.
[[noreturn]] void checkpoint_for_ever(const fs::path& file, const Pipe& begin) {
  begin.wait();
  while (!fs::exists(file.string() + "-wal")) std::this_thread::sleep_for(1ms);
  const PlainDatabase database(file);  // which waits for nobody: it would have the write lock meanwhile
  const PlainDatabase pin(file);
  for (;;)
    for (const char* const mode : {"PASSIVE", "TRUNCATE"}) {
      if (pin.try_execute("BEGIN; SELECT count(*) FROM sqlite_schema") == SQLITE_OK)
        database.try_execute(std::string("PRAGMA wal_checkpoint(") + mode + ")");
      pin.try_execute("ROLLBACK");
      std::this_thread::sleep_for(2ms);
    }
}

// this process                     first                     second
// opens, writes                    checkpoints
//                                  KILLED                    checkpoints
// closes: has checkpointed never
TEST_CASE("checkpoint external: another process checkpoints all the while, is killed, and is followed by the next") {
  const testing::TempDir dir;
  const Pipe begin_first;
  const Pipe begin_second;
  Neighbour first([&] { checkpoint_for_ever(dir / "x.db", begin_first); });
  Neighbour second([&] { checkpoint_for_ever(dir / "x.db", begin_second); });
  const LockAudit audit;
  const testing::LogCapture log;
  asio::thread_pool io(2);
  AppStateOptions options = beside_another(1 << 20);
  options.data_dir = dir.path();
  options.logger = log.logger();
  options.database_threads = 2;
  AppState state(io.get_executor(), std::move(options));
  const auto run = [&](auto work) { return asio::co_spawn(io, std::move(work), asio::use_future).get(); };
  run(state.init());
  state.db_instances.add_migrator("x", migrations({"CREATE TABLE t(a INTEGER PRIMARY KEY, b)"}));
  const Pool pool = run(state.db_instances.get_pool("x"));
  int rows = 0;
  const auto write_some = [&] {
    for (int i = 0; i < 100; ++i, ++rows) run(pool.execute("INSERT INTO t(b) VALUES (randomblob(3000))"));
  };
  /// The salt of the log, which is another one each time that it starts anew.
  const auto log_starts_anew = [&] {
    const auto salt = [&] { return read_file(dir / "x.db-wal").substr(0, 24); };
    const std::string before = salt();
    return eventually([&] {
      write_some();
      return salt() != before;
    });
  };
  begin_first.tell();
  CHECK(log_starts_anew());
  CHECK(log_starts_anew());
  CHECK(first.kill());
  begin_second.tell();
  CHECK(log_starts_anew());
  CHECK(run(state.shutdown()).clean());
  CHECK(audit.checkpoints() == 0);
  CHECK(second.kill());
  CHECK(rows_in(dir / "x.db") == rows);
}

}  // namespace
}  // namespace statehouse::test
