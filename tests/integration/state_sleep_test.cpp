// Databases that nobody uses: they sleep, and wake for whoever comes.

#include <sys/stat.h>

#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

AppStateOptions quiet_after(TimeLimit time) {
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.idle_close = time;
  return options;
}

/// A database whose migrations make and fill the table t.
class Sleeper : public SteppedApp {
 public:
  explicit Sleeper(AppStateOptions options = quiet_after(1min)) : SteppedApp(std::move(options)) {
    state->db_instances.add_migrator("x", first());
    pool = open("x");
  }

  static Migrator first() { return migrations({"CREATE TABLE t(a)", "INSERT INTO t VALUES (1)"}); }
  fs::path file() const { return dir / "x.db"; }
  database_state shown() const { return pool.stats().state; }
  /// One look at a time, as the clock of a server does.
  void pass(std::chrono::seconds time) {
    for (; time > 0s; time -= 1s) {
      clock->advance(1s);
      settle();
    }
  }
  /// Nobody touches the file for as long as it takes to see that from outside.
  void let_it_age() {
    pass(10s);  // the log is cut
    struct stat status {};
    const auto changed = [&] {
      ::stat(file().c_str(), &status);
      return std::chrono::seconds(status.st_ctim.tv_sec) + std::chrono::nanoseconds(status.st_ctim.tv_nsec);
    };
    while (std::chrono::system_clock::now().time_since_epoch() - changed() < 100ms) std::this_thread::sleep_for(10ms);
  }
  void fall_asleep() {
    let_it_age();
    pass(70s);
    REQUIRE(shown() == database_state::asleep);
  }
  /// The look that finds nobody has begun it; the database thread has not.
  void begin_to_sleep() {
    while (log.count("it falls asleep") == 0) {
      clock->advance(1s);
      if (log.count("it falls asleep") == 0) settle();
    }
  }
  int rows() { return run(pool.query_one<int>("SELECT count(*) FROM t")); }
  void check_well() {
    run(pool.execute("INSERT INTO t VALUES (2)"));
    const int count = rows();
    CHECK(count >= 1);
    CHECK(run(state->shutdown()).clean());
    check_closed(file());
    CHECK(value(file(), "SELECT count(*) FROM t") == std::to_string(count));
  }

  Pool pool;
};

TEST_CASE("sleep: readers that nobody uses are closed, then the writer, and nothing is left open") {
  Sleeper app;
  app.open_readers(app.pool, 2);
  app.run(app.pool.execute("INSERT INTO t VALUES (2)"));
  app.pass(59s);
  CHECK(app.pool.stats().readers.connections == 2);
  app.pass(2s);
  CHECK(app.pool.stats().readers.connections == 0);
  CHECK(app.pool.stats().writer.connections == 1);
  app.pass(8s);  // the log was cut after some seconds, which uses the writer
  CHECK(app.shown() == database_state::asleep);
  CHECK(app.pool.stats().writer.connections == 0);
  CHECK(app.pool.stats().wal_bytes == 0);
  CHECK(app.pool.stats().file_bytes == fs::file_size(app.file()));
  CHECK(app.pool.stats().schema_version == 2);
  check_closed(app.file());
  app.check_well();
}

TEST_CASE("sleep: of two readers the one that is used stays, and so does the writer") {
  Sleeper app;
  app.open_readers(app.pool, 2);
  for (int i = 0; i < 70; ++i) {
    app.rows();
    app.rows();
    if (i == 30) app.pass(1s);
    app.pass(1s);
  }
  CHECK(app.pool.stats().readers.connections == 2);  // in turn
  const ReaderLease held = app.run(app.pool.acquire(reader));
  app.pass(70s);
  CHECK(app.pool.stats().readers.connections == 1);
  CHECK(app.shown() == database_state::ready);
}

TEST_CASE("sleep: whoever comes wakes it: a read opens a reader and no writer, a write opens the writer") {
  Sleeper app;
  app.fall_asleep();
  const bool reads = GENERATE(true, false);
  CAPTURE(reads);
  if (reads) {
    CHECK(app.rows() == 1);
  } else {
    CHECK(app.run(app.pool.execute("INSERT INTO t VALUES (2)")).changes == 1);
  }
  CHECK(app.shown() == database_state::ready);
  CHECK(app.pool.stats().readers.connections == (reads ? 1 : 0));
  CHECK(app.pool.stats().writer.connections == (reads ? 0 : 1));
  app.fall_asleep();  // and so on
  check_closed(app.file());
  app.check_well();
}

TEST_CASE("sleep: every verb wakes it, with its own outcome") {
  Sleeper app;
  const auto check = [&](auto task) {
    app.settle();
    CHECK_FALSE(task.failed());
    task.get();
  };
  app.fall_asleep();
  check(app.spawn(app.pool.read([](Reader& db) { return db.query_one<int>("SELECT 1"); })));
  app.fall_asleep();
  check(app.spawn(app.pool.write([](Connection& db) { db.execute("DELETE FROM t"); })));
  app.fall_asleep();
  check(app.spawn(app.pool.begin()));
  app.fall_asleep();
  check(app.spawn(app.pool.acquire(reader)));
  app.fall_asleep();
  check(app.spawn(app.pool.acquire(writer)));
  app.fall_asleep();
  check(app.spawn(app.pool.write_without_transaction([](Connection& db) { db.execute("VACUUM"); })));
  app.fall_asleep();
  CHECK(app.run(app.pool.query_one<int>({.inline_read = true}, "SELECT 1")) == 1);
  app.check_well();
}

TEST_CASE("sleep: get_pool and the other questions have the same pool, and wake nobody") {
  Sleeper app;
  app.fall_asleep();
  DbInstances& databases = app.state->db_instances;
  CHECK(same(app.pool, app.run(databases.get_pool("x"))));
  CHECK(same(app.pool, databases.try_get_pool("x").value()));
  CHECK(databases.names() == std::vector<std::string>{"x"});
  CHECK(databases.stats().at(0).state == database_state::asleep);
  CHECK(databases.health().ready());
  CHECK(code_of([&] { databases.configure("x", {}); }) == errc::already_open);
  app.pass(70s);
  CHECK(app.shown() == database_state::asleep);
}

TEST_CASE("sleep: not while somebody holds, waits for or runs something on a connection") {
  Sleeper app;
  SECTION("a transaction") {
    const Transaction held = app.run(app.pool.begin());
    app.pass(180s);
    CHECK(app.shown() == database_state::ready);
  }
  SECTION("a reader") {
    const ReaderLease held = app.run(app.pool.acquire(reader));
    app.pass(180s);
    CHECK(app.shown() == database_state::ready);
  }
  SECTION("a closure that runs for minutes") {
    auto task = app.spawn(app.pool.write([&](Connection& db) {
      for (int i = 0; i < 180; ++i) app.clock->advance(1s);
      CHECK(app.shown() == database_state::ready);
      db.execute("DELETE FROM t");
    }));
    app.settle();
    task.get();
    CHECK(app.shown() == database_state::ready);  // the time begins when it is over
  }
  app.check_well();
}

TEST_CASE("sleep: never where it is not to be, in memory, or with the file for itself") {
  AppStateOptions options = quiet_after(1min);
  SECTION("switched off") {
    options.pool.idle_close = {};
  }
  SECTION("in memory") {
    options.pool.in_memory = true;
  }
  SECTION("exclusive") {
    options.pool.connection.exclusive = true;
  }
  Sleeper app(std::move(options));
  app.pass(180s);
  CHECK(app.shown() == database_state::ready);
  CHECK(app.pool.stats().writer.connections == 1);
  CHECK(app.rows() == 1);
}

TEST_CASE("wake: the migrations run again where another process has had the file") {
  Sleeper app;
  app.fall_asleep();
  const std::string undone = "DROP TABLE t; DELETE FROM _sqlx_migrations";
  SECTION("and closed it") {
    PlainDatabase(app.file()).execute(undone);
    CHECK(app.rows() == 1);
  }
  SECTION("and has it open") {
    const PlainDatabase other(app.file());
    other.execute(undone);
    CHECK(app.rows() == 1);
  }
  SECTION("and has put another in its place") {
    fs::rename(app.file(), app.dir / "old.db");
    PlainDatabase(app.file()).execute("CREATE TABLE u(a)");
    CHECK(app.rows() == 1);
    CHECK(app.run(app.pool.query_one<int>("SELECT count(*) FROM u")) == 0);
  }
  CHECK(app.pool.stats().migrations_applied == 4);
  app.fall_asleep();
  PlainDatabase(app.file()).execute("CREATE TABLE other(a)");
  CHECK(app.rows() == 1);
  CHECK(app.pool.stats().migrations_applied == 4);  // as a counter it does not fall
  app.check_well();
}

TEST_CASE("wake: what was written so lately that it cannot be told from outside is looked at") {
  Sleeper app;
  const auto began = std::chrono::system_clock::now();
  app.pass(70s);
  REQUIRE(app.shown() == database_state::asleep);
  const bool lately = std::chrono::system_clock::now() - began < 100ms;
  app.rows();
  if (lately) CHECK(app.pool.stats().writer.connections == 1);
  app.check_well();
}

TEST_CASE("wake: where it fails everybody who waits hears why, nothing is open, and the next has it tried again") {
  Sleeper app;
  app.fall_asleep();
  boost::system::error_code expected;
  std::function<void()> mend;
  SECTION("the file is gone, and no empty one takes its place") {
    fs::rename(app.file(), app.dir / "away");
    expected = errc::file_replaced;
    mend = [&] { fs::rename(app.dir / "away", app.file()); };
  }
  SECTION("another process has applied a migration that is not known here") {
    const std::string row = "INSERT INTO _sqlx_migrations VALUES (9, 'nine', CURRENT_TIMESTAMP, true, x'00', 1)";
    PlainDatabase(app.file()).execute(row);
    expected = errc::migration_missing;
    mend = [&] { PlainDatabase(app.file()).execute("DELETE FROM _sqlx_migrations WHERE version = 9"); };
  }
  SECTION("it is no database any more") {
    fs::copy_file(app.file(), app.dir / "away");
    write_file(app.file(), std::string(4096, 'x'));
    expected = make_sqlite_error(SQLITE_NOTADB);
    mend = [&] { fs::copy_file(app.dir / "away", app.file(), fs::copy_options::overwrite_existing); };
  }
  for (int i = 0; i < 2; ++i) {
    auto read = app.spawn(app.pool.query_one<int>("SELECT count(*) FROM t"));
    auto write = app.spawn(app.pool.execute("DELETE FROM t WHERE a = 7"));
    app.settle();
    CHECK(read.code() == expected);
    CHECK(write.code() == expected);
    CHECK(app.shown() == database_state::asleep);
    CHECK(open_descriptors(app.file()) == 0);
    CHECK(app.log.count("cannot be opened again", spdlog::level::err) == std::size_t(i) + 1);
  }
  CHECK(app.pool.stats().writer.connections == 0);
  if (expected == errc::file_replaced) CHECK_FALSE(fs::exists(app.file()));
  mend();
  CHECK(app.rows() == 1);
  CHECK(app.pool.stats().last_error.empty());
  app.check_well();
}

TEST_CASE("wake: who comes while it falls asleep is served when it has woken") {
  //   clock, io                          database thread
  //   finds nobody: nothing begins
  //   a read, a write: wait
  //                                      closes all; opens it again; a reader, the writer
  Sleeper app;
  app.let_it_age();
  app.begin_to_sleep();
  auto read = app.spawn(app.pool.query_one<int>("SELECT count(*) FROM t"));
  auto write = app.spawn(app.pool.execute("INSERT INTO t VALUES (2)"));
  CHECK(app.pool.stats().readers.waiting == 1);
  CHECK(app.pool.stats().writer.waiting == 1);
  CHECK(app.step_db());
  CHECK_FALSE(read.done());
  CHECK(open_descriptors(app.file()) == 0);
  app.settle();
  CHECK(read.get() >= 1);
  CHECK(write.get().changes == 1);
  CHECK(app.shown() == database_state::ready);
  app.check_well();
}

TEST_CASE("wake: who waits for it has his time and his cancellation, and the opening goes on") {
  Sleeper app;
  app.fall_asleep();
  auto late = app.spawn(app.pool.query_one<int>({.timeout = 50ms}, "SELECT 1"));
  auto cancelled = app.spawn(app.pool.query_one<int>("SELECT 2"));
  auto served = app.spawn(app.pool.query_one<int>("SELECT 3"));
  app.clock->advance(50ms);
  cancelled.cancel();
  while (app.step_io()) {
  }
  CHECK(late.code() == errc::acquire_timeout);
  CHECK(contains(late.text(), "the database is being opened again"));
  CHECK(cancelled.code() == boost::system::errc::operation_canceled);
  CHECK_FALSE(served.done());
  app.settle();
  CHECK(served.get() == 3);
  app.check_well();
}

TEST_CASE("shutdown: of a database that sleeps, falls asleep or wakes") {
  Sleeper app;
  std::optional<Task<int>> waits;
  const auto ask = [&] { waits = app.spawn(app.pool.query_one<int>("SELECT 1")); };
  bool slept = false;
  SECTION("it sleeps") {
    app.fall_asleep();
    slept = true;
  }
  SECTION("it falls asleep") {
    app.let_it_age();
    app.begin_to_sleep();
  }
  SECTION("it falls asleep, and somebody has come") {
    app.let_it_age();
    app.begin_to_sleep();
    ask();
  }
  SECTION("it is to wake, and no thread has come for that") {
    app.fall_asleep();
    ask();
    CHECK(app.run(app.state->shutdown()).clean());
  }
  const ShutdownReport report = app.run(app.state->shutdown());
  CHECK(report.clean());
  CHECK(report.databases.size() == (slept ? 0 : 1));
  if (waits) CHECK(waits->code() == errc::closed);
  CHECK(app.code(app.pool.query_one<int>("SELECT 1")) == errc::closed);
  check_closed(app.file());
}

TEST_CASE("shutdown: while it wakes, and the migrations that it runs for that are done in time") {
  //   database thread                     this thread
  //   wakes; runs the migration
  //                                       shutdown
  //   has opened it; closes it
  std::optional<Task<ShutdownReport>> shutdown;
  SteppedApp* seen = nullptr;
  std::function<void()> hook = [&] {
    if (seen != nullptr && !shutdown) shutdown = seen->spawn(seen->state->shutdown());
  };
  AppStateOptions options = quiet_after(1min);
  options.pool.connection.on_connect = with_hook(hook);
  SteppedApp app(std::move(options));
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(a)", "INSERT INTO t SELECT hook() FROM t"}));
  const Pool pool = app.open("x");
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  for (int i = 0; i < 70; ++i) {
    app.clock->advance(1s);
    app.settle();
  }
  REQUIRE(pool.stats().state == database_state::asleep);
  PlainDatabase(app.dir / "x.db").execute("DELETE FROM _sqlx_migrations WHERE version = 2");
  seen = &app;
  auto write = app.spawn(pool.execute("DELETE FROM t"));
  app.settle();
  CHECK(write.code() == errc::closed);
  REQUIRE(shutdown);
  const ShutdownReport report = shutdown->get();
  CHECK(report.clean());
  CHECK(report.databases.size() == 1);
  check_closed(app.dir / "x.db");
  CHECK(value(app.dir / "x.db", "SELECT count(*) FROM _sqlx_migrations") == "2");
}

TEST_CASE("shutdown: a migration that runs for the sake of waking is stopped after the grace time") {
  //   database thread                     this thread
  //   wakes; runs the migration
  //                                       shutdown; its grace time passes
  //   is stopped, rolls back, closes
  std::function<void()> hook = [] {};
  AppStateOptions options = quiet_after(1min);
  options.pool.connection.on_connect = with_hook(hook);
  SteppedApp app(std::move(options));
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(a)", "INSERT INTO t SELECT hook() FROM t"}));
  const Pool pool = app.open("x");
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  for (int i = 0; i < 70; ++i) {
    app.clock->advance(1s);
    app.settle();
  }
  REQUIRE(pool.stats().state == database_state::asleep);
  PlainDatabase(app.dir / "x.db").execute("DELETE FROM _sqlx_migrations WHERE version = 2");
  std::optional<Task<ShutdownReport>> shutdown;
  hook = [&] {
    if (shutdown) return;
    shutdown = app.spawn(app.state->shutdown({.grace = 1s, .deadline = 100s}));
    app.clock->advance(2s);
  };
  auto read = app.spawn(pool.query_one<int>("SELECT 1"));
  app.settle();
  CHECK(read.code() == errc::closed);
  REQUIRE(shutdown);
  CHECK(shutdown->get().clean());
  check_closed(app.dir / "x.db");
  CHECK(value(app.dir / "x.db", "SELECT count(*) FROM _sqlx_migrations") == "1");
}

TEST_CASE("destructor: of an AppState whose database sleeps, falls asleep or wakes") {
  Sleeper app;
  SECTION("it sleeps") {
    app.fall_asleep();
  }
  SECTION("it falls asleep") {
    app.let_it_age();
    app.begin_to_sleep();
  }
  SECTION("it wakes") {
    app.fall_asleep();
    auto task = app.spawn(app.pool.query_one<int>("SELECT 1"));
    app.state.reset();
    app.settle();
    CHECK(task.code() == errc::closed);
  }
  app.state.reset();
  app.settle();
  check_closed(app.file());
}

TEST_CASE("sleep: a scheduled backup wakes it, and it sleeps again") {
  AppStateOptions options = quiet_after(1min);
  options.pool.backup.every = 1h;
  Sleeper app(std::move(options));
  app.pass(1s);
  app.fall_asleep();
  const auto made = app.pool.stats().backups.value().last;
  REQUIRE(made);
  app.clock->advance(1h);
  app.settle();
  CHECK(app.pool.stats().backups.value().last > made);
  app.pass(120s);
  CHECK(app.shown() == database_state::asleep);
  app.check_well();
}

TEST_CASE("sleep: a backup for which it cannot wake is told, and tried again later, not each second") {
  AppStateOptions options = quiet_after(1min);
  options.pool.backup.every = 1h;
  Sleeper app(std::move(options));
  app.pass(1s);
  app.fall_asleep();
  fs::rename(app.file(), app.dir / "away");
  app.clock->advance(1h);
  app.settle();
  CHECK(app.pool.stats().backups.value().failures == 1);
  CHECK(contains(app.pool.stats().backups.value().last_error, "moved or deleted"));
  app.pass(60s);
  CHECK(app.log.count("cannot be opened again") == 1);
  fs::rename(app.dir / "away", app.file());
  app.pass(300s);
  CHECK(app.pool.stats().backups.value().last_error.empty());
  app.check_well();
}

TEST_CASE("sleep: where the threads have stopped, what was to fall asleep or to wake is closed all the same") {
  Sleeper app;
  SECTION("to fall asleep") {
    app.let_it_age();
    app.begin_to_sleep();
  }
  SECTION("to close a reader") {
    app.open_readers(app.pool, 2);
    for (int i = 0; i < 62; ++i) app.clock->advance(1s);
  }
  SECTION("to wake") {
    app.fall_asleep();
    app.spawn(app.pool.execute("DELETE FROM t"));
  }
  app.state.reset();  // nothing runs the executor
  CHECK(open_descriptors(app.file()) == 0);
  CHECK(app.log.count("", spdlog::level::err) == 0);
  check_closed(app.file());
  app.settle();
}

TEST_CASE("sleep: from several threads with looks in between nothing is lost") {
  // Real threads and a short time: whoever comes meets it awake, asleep and in between.
  AppStateOptions options = quiet_after(1ms);
  ThreadedApp app(options, 2);
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(a)"}));
  app.run(app.state->init());
  const Pool pool = app.run(app.state->db_instances.get_pool("x"));
  for (int i = 0; i < 4; ++i) {
    std::vector<std::future<ExecuteResult>> writes;
    for (int n = 0; n < 20; ++n) writes.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", n)));
    for (auto& write : writes) CHECK(write.get().changes == 1);
    while (pool.stats().state != database_state::asleep) std::this_thread::sleep_for(1ms);
  }
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 80);
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(app.dir / "x.db");
}

}  // namespace
}  // namespace statehouse::test
