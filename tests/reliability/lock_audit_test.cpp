#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <random>
#include <set>

#include "left_log.hpp"
#include "lock_audit.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

/// The file handles of a pool's connections, by role.
struct Handles {
  std::function<void(Connection&, connection_role)> hook() {
    return [this](Connection& connection, connection_role role) {
      const int handle = RecordingVfs::handle_of(connection.native().getHandle());
      std::lock_guard lock(mutex);
      (role == connection_role::writer ? writers : readers).insert(handle);
    };
  }
  std::mutex mutex;
  std::set<int> writers;
  std::set<int> readers;
};

/// What a busy server does to its database: everything that the pool offers, at the same time.
struct Traffic {
  ThreadedApp& app;
  const Pool pool;
  const int steps;

  asio::awaitable<void> one(unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < steps; ++i)
      co_await step(static_cast<unsigned>(random() % 10), static_cast<int>(random() % 1000));
  }

  asio::awaitable<void> step(unsigned what, int key) {
    auto upsert = [key](Connection& db) {
      db.execute("INSERT INTO t VALUES (?, randomblob(3000)) ON CONFLICT(k) DO UPDATE SET v = excluded.v", key);
    };
    switch (what) {
      case 0:
      case 1: co_await pool.execute("INSERT OR REPLACE INTO t VALUES (?, randomblob(3000))", key); break;
      case 2: co_await pool.write(upsert); break;
      case 3: co_await in_transaction(key); break;
      case 4: co_await pool.execute("DELETE FROM t WHERE k = ?", key); break;
      case 5: co_await leased(key); break;
      case 6: co_await counted(); break;
      default: co_await pool.query_optional<std::optional<int>>("SELECT length(v) FROM t WHERE k = ?", key);
    }
  }
  asio::awaitable<void> in_transaction(int key) {
    Transaction transaction = co_await pool.begin();
    co_await transaction.execute("UPDATE t SET v = NULL WHERE k = ?", key);
    if (key % 2 == 0) co_await std::move(transaction).commit();
  }
  asio::awaitable<void> leased(int key) {
    ReaderLease lease = co_await pool.acquire(reader);
    co_await lease.query_optional<int>("SELECT k FROM t WHERE k = ?", key);
  }
  asio::awaitable<void> counted() {
    auto count = [](Reader& db) {
      return db.query_one<int>("SELECT count(*) FROM t") + db.query_one<int>("SELECT sum(k) IS NULL FROM t");
    };
    co_await pool.read(count);
  }
};

TEST_CASE(
    "lock audit: only the writer takes the write lock, it and one more the checkpoint lock, and checkpoints only "
    "pinned") {
  LockAudit vfs;
  Handles handles;
  AppStateOptions options;
  options.database_threads = 3;
  options.pool.readers = 3;
  options.pool.wal_soft_limit = 1 << 20;  // so that there are many
  options.pool.connection.on_connect = handles.hook();
  ThreadedApp app(std::move(options));
  // Left by a process that was killed, so that there is something to recover.
  leave_log(app.dir / "x.db",
            "PRAGMA journal_mode = WAL; CREATE TABLE left_behind(x); INSERT INTO left_behind VALUES (1)");
  REQUIRE(fs::exists(app.dir / "x.db-wal"));
  app.state->db_instances.add_migrator(
      "x", migrations({"CREATE TABLE t(k INTEGER PRIMARY KEY, v)", "-- no-transaction\nVACUUM"}));
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  Traffic traffic{app, app.open("x"), 150};
  std::vector<std::future<void>> ends;
  for (unsigned i = 0; i < 12; ++i) ends.push_back(app.spawn(traffic.one(seed + i)));
  for (auto& end : ends) end.get();
  auto vacuum = [](Connection& db) { db.execute("VACUUM"); };
  app.run(traffic.pool.write_without_transaction(vacuum));
  CHECK(app.run(traffic.pool.query_one<int>("SELECT x FROM left_behind")) == 1);
  CHECK(app.run(app.state->shutdown()).clean());

  CHECK(handles.writers.size() == 1);
  CHECK(handles.readers.size() == 3);
  std::set<int> movers;
  std::size_t write_locks = 0;
  std::size_t checkpoint_locks = 0;
  std::size_t read_locks = 0;
  std::size_t rereads = 0;
  for (const RecordingVfs::Lock& lock : vfs.locks()) {
    const bool by_writer = handles.writers.contains(lock.handle);
    const bool writes = lock.covers(RecordingVfs::write_slot);
    const bool checkpoints = lock.covers(RecordingVfs::checkpoint_slot);
    if (checkpoints && !by_writer) movers.insert(lock.handle);
    // The one case SQLite has: a reader that meets the log's header while the writer is changing it asks for the write
    // lock to read it again (walIndexReadHdr). It writes nothing then, which is checked below.
    rereads += writes && !by_writer;
    write_locks += writes && by_writer && lock.exclusive;
    checkpoint_locks += checkpoints && lock.exclusive;
    read_locks += handles.readers.contains(lock.handle);
  }
  // The shim has seen what was to be seen.
  CHECK(write_locks > 500);
  CHECK(rereads * 20 < write_locks);
  CHECK(checkpoint_locks > 2);
  CHECK(vfs.checkpoints() > 2);
  CHECK(vfs.unpinned() == 0);
  CHECK(read_locks > 200);
  CHECK(movers.size() == 1);
  for (const int handle : movers) CHECK_FALSE(handles.readers.contains(handle));
  for (const int handle : handles.readers) CHECK(vfs.writes(handle) == 0);
  for (const int handle : handles.writers) CHECK(vfs.writes(handle) > 0);
  check_closed(app.dir / "x.db");
}

/// A pool that commits and checkpoints, in every way that it has for that; what `beside` gives is there while it
/// checkpoints.
int checkpoints_of_a_pool(const LockAudit& audit, PoolOptions options,
                          const std::function<std::shared_ptr<void>(const Pool&)>& beside) {
  options.wal_soft_limit = 64 << 10;
  options.readers = 1;
  const int before = audit.checkpoints();
  SteppedApp app(options);
  app.state->db_instances.add_migrator(
      "x", migrations({"CREATE TABLE t(x)",
                       "-- no-transaction\n"
                       "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                       "FROM n WHERE i < 3000) SELECT randomblob(2000) FROM n;"
                       "DELETE FROM t;"}));
  const Pool pool = app.open("x");
  for (int i = 0; i < 60; ++i) {
    app.run(pool.execute("INSERT INTO t VALUES (randomblob(6000))"));
    const auto held = beside(pool);
    app.settle();
  }
  for (int i = 0; i < 8; ++i) {  // the cut when nothing is written
    app.clock->advance(1s);
    app.settle();
  }
  app.run(app.state->shutdown());
  return audit.checkpoints() - before;
}

TEST_CASE("lock audit: every checkpoint of a pool is pinned, also while another process has the write lock") {
  const LockAudit audit;
  PoolOptions options;
  SECTION("a pool") {}
  SECTION("one connection") {
    options.mode = pool_mode::single;
  }
  CHECK(checkpoints_of_a_pool(audit, options, [](const Pool&) { return nullptr; }) > 10);
  CHECK(audit.unpinned() == 0);
  const auto write_lock = [](const Pool& pool) {
    auto other = std::make_shared<PlainDatabase>(pool.path());
    other->execute("BEGIN IMMEDIATE");
    return other;
  };
  CHECK(checkpoints_of_a_pool(audit, options, write_lock) > 10);
  CHECK(audit.unpinned() == 0);
}

/// A writer that commits and checkpoints by hand.
struct ByHand {
  LockAudit audit;
  testing::TempDir dir;
  PlainDatabase writer{dir / "x.db"};
  PlainDatabase other{dir / "x.db"};

  ByHand() {
    for (const PlainDatabase* each : {&writer, &other})
      each->execute("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE IF NOT EXISTS t(x)");
  }
  template <class Checkpoint>
  void run(Checkpoint checkpoint) {
    for (int i = 0; i < 20; ++i) {
      writer.execute("INSERT INTO t VALUES (randomblob(3000))");
      checkpoint();
    }
    CHECK(audit.checkpoints() >= 20);
  }
  void checkpoint(int mode) const { sqlite3_wal_checkpoint_v2(writer.handle(), nullptr, mode, nullptr, nullptr); }
};

TEST_CASE_METHOD(ByHand, "lock audit: it tells of a checkpoint without a pin, and not of one that needs none") {
  SECTION("PASSIVE without a pin") {
    run([&] { checkpoint(SQLITE_CHECKPOINT_PASSIVE); });
    CHECK(audit.unpinned() == 20);
  }
  SECTION("PASSIVE with one") {
    run([&] {
      other.execute("BEGIN; SELECT count(*) FROM t");
      checkpoint(SQLITE_CHECKPOINT_PASSIVE);
      other.execute("COMMIT");
    });
    CHECK(audit.unpinned() == 0);
  }
  SECTION("TRUNCATE, which has the write lock") {
    run([&] { checkpoint(SQLITE_CHECKPOINT_TRUNCATE); });
    CHECK(audit.unpinned() == 0);
  }
  SECTION("TRUNCATE while another has the write lock: SQLite makes it PASSIVE") {
    run([&] {
      other.execute("BEGIN IMMEDIATE");
      checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
      other.execute("ROLLBACK");
    });
    CHECK(audit.unpinned() == 20);
  }
  SECTION("RESTART, whose pin ends meanwhile, but which has the write lock") {
    sqlite3_busy_handler(
        writer.handle(),
        [](void* self, int) {
          static_cast<ByHand*>(self)->other.execute("COMMIT");
          return 0;
        },
        this);
    other.execute("BEGIN; SELECT count(*) FROM t");
    writer.execute("INSERT INTO t VALUES (1)");
    checkpoint(SQLITE_CHECKPOINT_RESTART);  // which waits for it, and has the write lock all the while
    CHECK(audit.unpinned() == 0);
  }
}

TEST_CASE("lock audit: what asks no database for anything leaves the locks of the process as they are") {
  SteppedApp app;
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
  const Pool pool = app.open("x");
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  const Transaction transaction = app.run(pool.begin());  // a lock that would be missed
  const auto locks = locks_of_this_process();
  REQUIRE(locks.size() >= 3);
  DbInstances& databases = app.state->db_instances;
  const auto unchanged = [&](const char* what, const std::function<void()>& call) {
    CAPTURE(what);
    call();
    app.settle();
    CHECK(locks_of_this_process() == locks);
  };
  unchanged("get_pool", [&] { app.run(databases.get_pool("x")); });
  unchanged("try_get_pool", [&] { CHECK(databases.try_get_pool("x.db")); });
  unchanged("names", [&] { CHECK(databases.names().size() == 1); });
  unchanged("stats", [&] { CHECK(databases.stats().at(0).file_bytes > 0); });
  unchanged("db_path", [&] { CHECK(databases.db_path("x") == pool.path()); });
  unchanged("Pool::stats, name, path", [&] { CHECK(pool.stats().name == pool.name()); });
  unchanged("add_migrator", [&] { CHECK_THROWS(databases.add_migrator("x", migrations({}))); });
  unchanged("init", [&] { app.run(app.state->init()); });
  unchanged("the look at the file, every second", [&] { app.clock->advance(10s); });
  unchanged("opening a file that is open", [&] {
    auto second = another(app, app.dir.path());
    app.run(second->init());
    auto refused = app.spawn(second->db_instances.get_pool("x"));
    app.settle();
    CHECK(refused.code() == errc::file_in_use);
    CHECK(app.run(second->shutdown()).clean());
  });
  unchanged("tightening the permissions of a file that is open", [&] {
    AppStateOptions options;
    options.data_dir = app.dir.path();
    options.database_executor = app.db.get_executor();
    options.clock = app.clock;
    options.logger = app.log.logger();
    options.pool.connection.tighten_permissions = true;
    ::chmod(pool.path().c_str(), 0644);
    AppState second(app.io.get_executor(), std::move(options));
    app.run(second.init());
    auto refused = app.spawn(second.db_instances.get_pool("x"));
    app.settle();
    CHECK(refused.code() == errc::file_in_use);
    CHECK(mode_of(pool.path()) == 0600);
  });

  // Opening another database adds locks of its own, and takes none of these away.
  const Pool other = app.run(databases.get_pool("other"));
  const auto after = locks_of_this_process();
  CHECK(std::ranges::includes(after, locks));
}

}  // namespace
}  // namespace statehouse::test
