// The write-ahead log stays short, and nobody waits for that but the writes that follow.

#include <catch2/generators/catch_generators.hpp>

#include "left_log.hpp"
#include "state_support.hpp"
#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t soft_limit = 256 << 10;
constexpr const char* pinned = "cannot be cut: a reader connection is held by query_one at wal_test.cpp:";

/// A file system that calls back before each write into a database file, which is what a checkpoint does, and when it
/// is made sure that nobody reads the log, before it is cut.
class CheckpointVfs final : public testing::detail::ShimVfs {
 public:
  CheckpointVfs() : testing::detail::ShimVfs("checkpoint") {
    methods.xWrite = &CheckpointVfs::write;
    methods.xShmLock = &CheckpointVfs::shm_lock;
  }

  std::function<void()> on_checkpoint;
  std::function<void()> on_cut;

 private:
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    const int result = open_real(name, file, flags, out_flags);
    ours(file).handle = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? 1 : 0;
    return result;
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const auto call = of<CheckpointVfs>(file).on_checkpoint;  // a copy: it may replace itself
    if (ours(file).handle != 0 && call) call();
    return real(file)->pMethods->xWrite(real(file), data, size, offset);
  }
  static int shm_lock(sqlite3_file* file, int first, int count, int how) {
    const bool all_readers = first == 4 && count == 4 && how == (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    const auto call = of<CheckpointVfs>(file).on_cut;
    if (all_readers && call) call();
    return real(file)->pMethods->xShmLock(real(file), first, count, how);
  }
};

/// A stepped pool with a small soft limit and a table `t(a)`, for rows of some 20 KiB of log.
struct Log {
  CheckpointVfs vfs;
  std::function<void()> hook = [] {};
  SteppedApp app;
  Pool pool;

  Log() : Log(PoolOptions{}) {}
  explicit Log(PoolOptions options) : app(limited(std::move(options))), pool(app.open()) {
    app.run(pool.execute("CREATE TABLE t(a)"));
  }
  PoolOptions limited(PoolOptions options) {
    options.connection.on_connect = with_hook(hook);
    options.readers = 2;
    options.wal_soft_limit = soft_limit;
    return options;
  }

  std::uint64_t bytes() const { return pool.stats().wal_bytes; }
  static constexpr const char* insert = "INSERT INTO t VALUES (zeroblob(16384))";
  /// From any thread; how many of the writes have succeeded.
  int write(int times) {
    int done = 0;
    for (int i = 0; i < times; ++i) {
      auto task = app.start(pool.execute(insert));
      while (!task.done() && (app.step_io() || app.step_db())) {
      }
      done += task.done() && !task.failed() ? 1 : 0;
    }
    return done;
  }
  int rows() { return app.run(pool.query_one<int>("SELECT count(*) FROM t")); }
  /// Time passes as the periodic check counts it, and what it asks for is done.
  void pass(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      app.clock->advance(1s);
      while (app.step_io() || app.step_db()) {
      }
    }
  }
  /// Leaves a log that is longer than the limit and could be cut by now.
  void make_long() {
    const PlainDatabase reading(pool.path());
    sqlite3_exec(reading.handle(), "BEGIN; SELECT * FROM t", nullptr, nullptr, nullptr);
    CHECK(write(20) == 20);
    CHECK(bytes() > soft_limit);
  }
  /// `work()` on a thread of its own in the middle of a read, which pins the log meanwhile.
  template <class Work>
  void during_a_read(Work work) {
    hook = [&] { std::jthread(work).join(); };
    CHECK(app.run(pool.query_one<int>("SELECT hook() + 0 * a FROM (SELECT count(*) AS a FROM t)")) > 0);
    hook = [] {};
  }
};

/// One whose writer does it all, so that what it does comes when the test expects it.
struct LogWithoutTurns : Log {
  LogWithoutTurns() : Log({.connection = {.synchronous = durability::full}}) {}
};

TEST_CASE_METHOD(Log, "wal: without readers the log stays under twice the soft limit, whoever writes") {
  std::uint64_t longest = 0;
  SECTION("statements") {
    for (int i = 0; i < 100; ++i) {
      CHECK(write(1) == 1);
      longest = std::max(longest, bytes());
    }
  }
  SECTION("transactions") {
    for (int i = 0; i < 100; ++i) {
      auto transaction = app.run(pool.begin());
      app.run(transaction.execute(insert));
      app.run(std::move(transaction).commit());
      longest = std::max(longest, bytes());
    }
  }
  SECTION("a writer that is kept") {
    auto lease = app.run(pool.acquire(writer));
    for (int i = 0; i < 100; ++i) {
      app.run(lease.execute(insert));
      longest = std::max(longest, bytes());
    }
  }
  CHECK(longest > soft_limit / 8);
  CHECK(longest < 2 * soft_limit);
  CHECK(app.log.count("cannot be cut") == 0);
}

TEST_CASE_METHOD(Log, "wal: nobody waits for a pinned log, writes go on") {
  // reader           another thread
  // snapshot
  //                  INSERT ... each is done, far beyond the limit
  // goes on
  int done = 0;
  std::uint64_t grown = 0;
  during_a_read([&] {
    done = write(60);
    grown = bytes();
  });
  CHECK(done == 60);
  CHECK(grown > 3 * soft_limit);
  CHECK(rows() == 60);
  CHECK(pool.stats().holders.empty());
}

TEST_CASE_METHOD(Log,
                 "wal: a read that takes long is named once a minute, and then the log is cut within one idle period") {
  std::size_t first = 0;
  std::size_t later = 0;
  during_a_read([&] {
    write(60);
    first = app.log.count(pinned, spdlog::level::warn);
    pass(60);
    write(60);
    later = app.log.count(pinned, spdlog::level::warn);
  });
  CHECK(first == 1);
  CHECK(later == 2);
  CHECK(app.log.count("cannot be cut") == 2);
  CHECK(bytes() > soft_limit);
  pass(6);
  CHECK(bytes() == 0);
  CHECK(rows() == 120);
}

TEST_CASE_METHOD(LogWithoutTurns, "wal: while the log is cut no read begins, and none is forgotten") {
  // writer                          callers
  // over the limit: no more reads
  //                                 queries, a lease: queued, although connections are idle
  // cuts the log
  // lets them begin                 have their turn
  make_long();
  std::optional<Task<int>> query;
  std::optional<Task<ReaderLease>> lease;
  bool began = false;
  vfs.on_cut = [&] {
    vfs.on_cut = {};
    query = app.spawn(pool.query_one<int>({.inline_read = true}, "SELECT 7"));
    lease = app.spawn(pool.acquire(reader));
    while (app.step_io() || app.step_db()) {
    }
    began = query->done() || lease->done();
  };
  while (!query && rows() < 100) CHECK(write(1) == 1);
  app.settle();
  REQUIRE(query);
  CHECK_FALSE(began);
  CHECK(query->get() == 7);
  CHECK_NOTHROW(lease->get().release());
  CHECK(bytes() < soft_limit);
  CHECK(pool.stats().holders.empty());
}

TEST_CASE_METHOD(LogWithoutTurns,
                 "wal: who waits behind a slow reader gets away to one that became free while others were held back") {
  // reader 1                     reader 2                     writer
  //                              leased
  // takes slow; it begins                                     INSERT ... over the limit: waits for a gap
  //                              given back, held back
  //                                                           no gap within 10 ms: lets them begin
  //                              takes behind; runs it
  // slow ends
  make_long();
  auto lease = app.run(pool.acquire(reader));
  auto slow = app.spawn(pool.query_one<int>("SELECT hook()"));
  auto behind = app.spawn(pool.query_one<int>("SELECT 7"));
  bool given_back = false;
  bool done = false;
  hook = [&] {
    std::jthread([&] {
      std::jthread giving_back;
      vfs.on_checkpoint = [&] {
        vfs.on_checkpoint = {};
        // Nothing tells of the wait. Where this comes too early or too late the reader goes on by itself.
        giving_back = std::jthread([&] {
          std::this_thread::sleep_for(5ms);
          lease.release();
          given_back = true;
        });
      };
      for (int i = 0; !giving_back.joinable() && i < 100; ++i) write(1);
    }).join();
    while (app.step_io() || app.step_db()) {
    }
    done = behind.done();
  };
  app.settle();
  CHECK(given_back);
  CHECK(done);
  CHECK_NOTHROW(slow.get());
  CHECK(behind.get() == 7);
  CHECK(pool.stats().readers.waiting == 0);
}

TEST_CASE_METHOD(LogWithoutTurns, "wal: who waits while the log is cut may give up, or the pool may close") {
  make_long();
  std::optional<Task<int>> query;
  std::optional<Task<ShutdownReport>> shutdown;
  const auto act = GENERATE(0, 1, 2);
  vfs.on_cut = [&] {
    vfs.on_cut = {};
    query = app.spawn(pool.query_one<int>("SELECT 7"));
    if (act == 0) query->cancel();
    if (act == 1) app.clock->advance(3s);
    if (act == 2) shutdown = app.spawn(app.state->shutdown());
  };
  for (int i = 0; !query && i < 100; ++i) write(1);
  app.settle();
  REQUIRE(query);
  if (act == 0) CHECK(query->code() == boost::system::errc::operation_canceled);
  if (act == 1) CHECK(query->code() == errc::acquire_timeout);
  if (act == 2) {
    CHECK(query->code() == errc::closed);
    CHECK(shutdown->get().clean());
    check_closed(pool.path());
  } else {
    CHECK(rows() > 0);
  }
}

TEST_CASE_METHOD(LogWithoutTurns, "wal: a reader connection that is held, but runs nothing, is not in the way") {
  auto lease = app.run(pool.acquire(reader));
  CHECK(app.run(lease.query_one<int>("SELECT count(*) FROM t")) == 0);
  const PlainDatabase stranger(pool.path());  // makes the log grow, so that a gap is wanted
  sqlite3_exec(stranger.handle(), "BEGIN; SELECT * FROM t", nullptr, nullptr, nullptr);
  CHECK(write(60) == 60);
  CHECK(bytes() > soft_limit);
  CHECK(app.log.count("cannot be cut: somebody in another process reads it", spdlog::level::warn) == 1);
  sqlite3_exec(stranger.handle(), "COMMIT", nullptr, nullptr, nullptr);
  CHECK(write(30) == 30);
  CHECK(bytes() < soft_limit);
  CHECK(app.run(lease.query_one<int>("SELECT count(*) FROM t")) == 90);
}

TEST_CASE_METHOD(Log, "wal: while somebody else checkpoints, nothing is said and no reader is held back") {
  // another process                writer
  // checkpoint begins
  //                                INSERT ..., a checkpoint is due: not possible, tried again later
  // goes on
  CHECK(write(3) == 3);
  PlainDatabase stranger(pool.path());
  int done = 0;
  vfs.on_checkpoint = [&] {
    vfs.on_checkpoint = {};
    done = write(5);
  };
  stranger.execute("PRAGMA wal_checkpoint");
  CHECK(done == 5);
  CHECK(app.log.count("cannot be cut") == 0);
  CHECK(app.log.count("checkpoint:") == 0);
  CHECK(write(30) == 30);
  CHECK(bytes() < 2 * soft_limit);
}

TEST_CASE_METHOD(Log, "wal: an idle database's log is cut, whatever has written") {
  SECTION("a statement") {
    CHECK(write(1) == 1);
  }
  SECTION("a transaction") {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute(insert));
    app.run(std::move(transaction).commit());
  }
  SECTION("a lease") {
    auto lease = app.run(pool.acquire(writer));
    app.run(lease.execute(insert));
  }
  const auto before = bytes();
  CHECK(before > 0);
  pass(4);
  CHECK(bytes() == before);
  pass(2);
  CHECK(bytes() == 0);
  const auto completed = pool.stats().writer.completed;
  pass(60);
  CHECK(pool.stats().writer.completed == completed);  // nothing to cut, nothing is done
  CHECK(rows() == 1);
}

TEST_CASE_METHOD(Log, "wal: the log of a database that is written to now and then is left alone") {
  for (int i = 0; i < 10; ++i) {
    CHECK(write(1) == 1);
    const auto before = bytes();
    pass(4);
    CHECK(bytes() == before);
  }
}

TEST_CASE_METHOD(LogWithoutTurns, "wal: callers hear of their commit before the checkpoint that it makes due") {
  std::optional<Task<ExecuteResult>> last;
  int checkpoints = 0;
  int heard = 0;
  vfs.on_checkpoint = [&] {
    if (last && !last->done() && checkpoints == 0) app.step_io();
    heard += last && last->done() ? 1 : 0;
    ++checkpoints;
  };
  while (checkpoints == 0) {
    last = app.spawn(pool.execute(insert));
    app.settle();
  }
  CHECK(heard == checkpoints);
}

TEST_CASE_METHOD(LogWithoutTurns, "wal: a shutdown during a checkpoint waits for it, what came meanwhile is told so") {
  std::optional<Task<ShutdownReport>> shutdown;
  std::optional<Task<int>> late;
  vfs.on_checkpoint = [&] {
    if (shutdown) return;
    shutdown = app.spawn(app.state->shutdown());
    late = app.spawn(pool.query_one<int>("SELECT 1"));
    app.clock->advance(6s);  // over the grace time
  };
  while (!shutdown) {
    app.spawn(pool.execute(insert));
    app.settle();
  }
  vfs.on_checkpoint = {};
  app.settle();
  REQUIRE(shutdown->done());
  CHECK(shutdown->get().clean());
  CHECK(late->code() == errc::closed);
  CHECK(app.log.count("checkpoint:") == 0);  // it was not interrupted
  check_closed(pool.path());
}

TEST_CASE("wal: a writer in another's place leaves it to the pool when the log is moved, as that one did") {
  CheckpointVfs vfs;
  int moved = 0;
  SteppedApp app(PoolOptions{.connection = {.synchronous = durability::full}});  // the writer moves
  const Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a)"));
  const auto changes = [](Connection& db) { db.native(); };
  app.run(pool.write(changes));
  vfs.on_checkpoint = [&] { ++moved; };
  // More than SQLite's own 1,000 pages, far less than the pool's interval.
  for (int i = 0; i < 2; ++i) app.run(pool.execute("INSERT INTO t VALUES (zeroblob(6000000))"));
  CHECK(pool.stats().writer.replaced == 1);
  CHECK(moved == 0);
  CHECK(pool.stats().wal_bytes > 12'000'000);
  vfs.on_checkpoint = {};
}

TEST_CASE("wal: the log that a killed process has left is cut at opening, and nothing of it is lost") {
  SteppedApp app;
  const auto file = app.dir.path() / "test.db";
  std::string sql = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a);";
  for (int i = 0; i < 10; ++i) sql += std::string(Log::insert) + ";";
  leave_log(file, sql);
  REQUIRE(std::filesystem::file_size(file.string() + "-wal") > 100'000);
  const Pool pool = app.open();
  CHECK(pool.stats().wal_bytes == 0);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 10);
}

TEST_CASE("wal: in memory and with one connection for everything there is nothing else to it") {
  PoolOptions options;
  options.wal_soft_limit = soft_limit;
  options.mode = pool_mode::single;
  SECTION("in memory") {
    options.in_memory = true;
  }
  SECTION("single") {}
  SteppedApp app(options);
  const Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a)"));
  for (int i = 0; i < 100; ++i) app.run(pool.execute(Log::insert));
  CHECK(pool.stats().wal_bytes < 2 * soft_limit);
  app.clock->advance(10s);
  app.settle();
  CHECK(pool.stats().wal_bytes == 0);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 100);
}

}  // namespace
}  // namespace statehouse::test
