// Turns of a pool in which the log is moved beside its writer: with what else happens to the pool meanwhile.

#include <map>

#include "state_support.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::test {
namespace {

/// Calls back when a page is first written into a database of that name: of a short log that is a turn's.
class TurnsVfs final : public testing::detail::ShimVfs {
 public:
  TurnsVfs() : testing::detail::ShimVfs("turns") { methods.xWrite = &TurnsVfs::write; }

  std::function<void()> on_turn;
  std::map<std::string, int> written;  ///< Pages, by the name of the file.

 private:
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    const int result = open_real(name, file, flags, out_flags);
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return result;
    names_.push_back(std::filesystem::path(name).stem());
    ours(file).handle = static_cast<int>(names_.size());
    return result;
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    auto& self = of<TurnsVfs>(file);
    if (ours(file).handle != 0) {
      ++self.written[self.names_.at(static_cast<std::size_t>(ours(file).handle) - 1)];
      if (const auto call = std::exchange(self.on_turn, {})) call();
    }
    return real(file)->pMethods->xWrite(real(file), data, size, offset);
  }

  std::vector<std::string> names_;
};

struct TurningPools : SteppedApp {
  TurnsVfs vfs;

  TurningPools() : SteppedApp(options()) {}

  static PoolOptions options() {
    PoolOptions options;
    options.readers = 2;
    options.wal_soft_limit = 1 << 20;
    return options;
  }
  Pool pool_of(const std::string& name) {
    Pool pool = open(name);
    run(pool.execute("CREATE TABLE t(a)"));
    settle();
    return pool;
  }
  static constexpr const char* insert = "INSERT INTO t VALUES (zeroblob(60000))";  // enough for a turn
};

TEST_CASE_METHOD(TurningPools, "wal: a shutdown during a turn waits for its end, and none begins after that") {
  // turn                  shutdown
  // moves a page
  //                       begins; the connections are parked
  // ends                  closes them
  const Pool pool = pool_of("x");
  std::optional<Task<ShutdownReport>> shutdown;
  vfs.on_turn = [&] {
    shutdown = spawn(state->shutdown());
    while (step_io() || step_db()) {
    }
    CHECK_FALSE(shutdown->done());
    CHECK(open_descriptors(pool.path()) > 0);
    auto hasty = spawn(state->shutdown({.grace = 0ms, .deadline = 0ms}));  // is told what it would have to wait for
    while (step_io()) {
    }
    const ShutdownReport report = hasty.get();
    CHECK_FALSE(report.databases.at(0).closed);
    REQUIRE(report.databases.at(0).holders.size() == 1);
    CHECK(report.databases.at(0).holders[0].verb == "checkpoint");
    CHECK(report.databases.at(0).holders[0].where == "x.db");
  };
  run(pool.execute(insert));
  settle();
  REQUIRE(shutdown);
  CHECK_FALSE(shutdown->get().clean());  // by that deadline
  check_closed(pool.path());
  CHECK(value(pool.path(), "SELECT count(*) FROM t") == "1");
}

TEST_CASE_METHOD(TurningPools, "wal: the turns of several databases take one thread") {
  // x's turn                y
  // moves a page
  //                         commits: a turn is wanted, and waits
  // ends
  //                         its turn
  const Pool x = pool_of("x");
  const Pool y = pool_of("y");
  vfs.written.clear();
  vfs.on_turn = [&] {
    run(y.execute(insert));
    while (step_io() || step_db()) {
    }
    CHECK(vfs.written["y"] == 0);
  };
  run(x.execute(insert));
  settle();
  CHECK(vfs.written["x"] > 10);
  CHECK(vfs.written["y"] > 10);
}

TEST_CASE_METHOD(TurningPools, "wal: a turn that waits when its pool is closed never begins") {
  // x's turn                y
  // moves a page
  //                         commits: a turn is wanted, and waits
  //                         the shutdown begins; a lease is out
  // ends
  //                         (no turn)
  //                         the lease is given back, the last checkpoint
  const Pool x = pool_of("x");
  const Pool y = pool_of("y");
  vfs.written.clear();
  std::optional<Task<ShutdownReport>> shutdown;
  std::optional<ReaderLease> lease = run(y.acquire(reader));
  vfs.on_turn = [&] {
    run(y.execute(insert));
    while (step_io() || step_db()) {
    }
    shutdown = spawn(state->shutdown());
  };
  run(x.execute(insert));
  settle();
  REQUIRE(shutdown);
  CHECK_FALSE(shutdown->done());
  CHECK(vfs.written["y"] == 0);
  lease.reset();
  settle();
  CHECK(shutdown->get().clean());
  check_closed(y.path());
  CHECK(value(y.path(), "SELECT count(*) FROM t") == "1");
}

TEST_CASE_METHOD(TurningPools, "wal: an AppState that goes while a turn waits takes its databases along") {
  const Pool pool = pool_of("x");
  const auto path = pool.path();
  auto task = spawn(pool.execute(insert));
  while (!task.done()) CHECK((step_db() || step_io()));
  state.reset();  // the executor does not run any more
  CHECK(open_descriptors(path) == 0);
  settle();
  check_closed(path);
}

TEST_CASE_METHOD(TurningPools, "wal: the connection of the turns is no reader, no writer and nobody's lease") {
  const Pool pool = pool_of("x");
  bool seen = false;
  vfs.on_turn = [&] {
    const DatabaseStats stats = pool.stats();
    CHECK(stats.writer.connections == 1);
    CHECK(stats.readers.connections == 0);
    CHECK(stats.writer.in_use + stats.readers.in_use == 0);
    CHECK(stats.holders.empty());
    seen = true;
  };
  run(pool.execute(insert));
  const auto completed = pool.stats().writer.completed;
  settle();
  CHECK(seen);
  CHECK(pool.stats().writer.completed == completed);
}

TEST_CASE_METHOD(TurningPools, "wal: reads, writes, a backup and a transaction go on during a turn") {
  const Pool pool = pool_of("x");
  run(pool.execute("INSERT INTO t VALUES (1)"));
  bool seen = false;
  vfs.on_turn = [&] {
    Transaction transaction = run(pool.begin());
    run(transaction.execute("INSERT INTO t VALUES (2)"));
    CHECK(run(pool.query_one<int>("SELECT count(*) FROM t")) == 2);
    run(std::move(transaction).commit());
    run(pool.execute("INSERT INTO t VALUES (3)"));
    const auto work = [&](Reader& db) { backup(db, dir / "copy.db", {.overwrite = true}); };
    run(pool.read(work));
    seen = true;
  };
  run(pool.execute(insert));
  settle();
  CHECK(seen);
  CHECK(value(dir / "copy.db", "SELECT count(*) FROM t") == "4");
  CHECK(run(pool.query_one<int>("SELECT count(*) FROM t")) == 4);
  CHECK(run(state->shutdown()).clean());
  check_closed(pool.path());
}

}  // namespace
}  // namespace statehouse::test
