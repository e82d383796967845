// Databases that somebody else writes, or nobody.

#include <sys/stat.h>

#include <catch2/generators/catch_generators.hpp>

#include "child_process.hpp"
#include "hot_journal.hpp"
#include "left_log.hpp"
#include "neighbour.hpp"
#include "state_support.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/changes.hpp"
#include "statehouse/health.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

PoolOptions read_only(bool immutable = false) {
  PoolOptions options;
  options.readers = 2;
  options.read_only = true;
  options.immutable = immutable;
  return options;
}

/// A closed database with a table t that holds 7.
void make(const fs::path& file, const std::string& mode = "WAL") {
  PlainDatabase(file).execute("PRAGMA journal_mode = " + mode + "; CREATE TABLE t(a); INSERT INTO t VALUES (7)");
}

/// An app that reads the database `x`.
class Looker : public SteppedApp {
 public:
  explicit Looker(PoolOptions options = read_only()) : SteppedApp(std::move(options)) {}
  fs::path file() const { return dir / "x.db"; }
  int rows(const Pool& pool) { return run(pool.query_one<int>("SELECT count(*) FROM t")); }
  void pass(std::chrono::seconds time) {
    for (; time > 0s; time -= 1s) {
      clock->advance(1s);
      settle();
    }
  }
  boost::system::error_code opening() {
    run(state->init());
    return code(state->db_instances.get_pool("x"));
  }
  std::string failed_opening() {
    run(state->init());
    return ended(state->db_instances.get_pool("x")).text();
  }
};

template <class F>
std::string outcome_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "well";
}

/// Reads a database of a directory that is somebody's, where `app` runs.
class LookerElsewhere {
 public:
  LookerElsewhere(SteppedApp& app, const fs::path& directory, PoolOptions pool = read_only()) : app_(app) {
    AppStateOptions options;
    options.pool = std::move(pool);
    options.data_dir = directory;
    options.database_executor = app.db.get_executor();
    options.logger = app.log.logger();
    state.emplace(app.io.get_executor(), std::move(options));
  }
  Pool open() {
    app_.run(state->init());
    return app_.run(state->db_instances.get_pool("x"));
  }

  std::optional<AppState> state;

 private:
  SteppedApp& app_;
};

TEST_CASE("read_only: what needs a writer, or is the writer's to do, is refused with it, and immutable without it") {
  ThreadedApp app;
  const auto refused = [&](auto change) {
    PoolOptions options = read_only();
    change(options);
    const auto for_one = code_of([&] { app.state->db_instances.configure("c", options); });
    CHECK(for_one == code_of([&] { app.state->db_instances.configure("c*", options); }));
    AppStateOptions for_all;
    for_all.pool = options;
    CHECK(for_one == code_of([&] { AppState state(app.io.get_executor(), for_all); }));
    return for_one;
  };
  CHECK(refused([](PoolOptions& o) { o.in_memory = true; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.mode = pool_mode::single; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.checkpoint = checkpoint_mode::external; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.backup.every = 1h; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.nodes = {"127.0.0.1:9001"}; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.connection.exclusive = true; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.connection.tighten_permissions = true; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.read_only = false, o.immutable = true; }) == errc::invalid_option);
  CHECK_NOTHROW(app.state->db_instances.configure("c", read_only(true)));
}

TEST_CASE("read_only: every verb that writes is errc::write_on_reader, and those that read go on") {
  Looker app;
  make(app.file());
  const Pool pool = app.open("x");
  const auto refused = [&](auto operation, const char* verb) {
    auto task = app.ended(std::move(operation));
    CHECK(task.code() == errc::write_on_reader);
    CHECK(contains(task.text(), std::string("the database was opened read_only, and ") + verb));
  };
  const auto nothing = [](Connection&) {};
  const std::vector<std::tuple<int>> many{{1}};
  refused(pool.execute("DELETE FROM t"), "execute");
  refused(pool.execute_returning<int>("DELETE FROM t RETURNING a"), "execute_returning");
  refused(pool.execute_many("INSERT INTO t VALUES (?)", many), "execute_many");
  refused(pool.write(nothing), "write");
  refused(pool.write_without_transaction(nothing), "write_without_transaction");
  refused(pool.begin(), "begin");
  refused(pool.acquire(writer), "acquire");
  CHECK(app.code(pool.query_all<int>("DELETE FROM t RETURNING a")) == errc::write_on_reader);
  CHECK(app.code(app.state->db_instances.remove("x")) == errc::write_on_reader);
  const auto count = [](Reader& db) { return db.query_one<int>("SELECT count(*) FROM t"); };
  CHECK(app.run(pool.read(count)) == 1);
  {
    ReaderLease lease = app.run(pool.acquire(reader));
    CHECK(app.run(lease.query_one<int>("SELECT a FROM t")) == 7);
  }
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(app.file());
}

TEST_CASE("read_only: it stands beside a pool of this process that writes, and reads what that has committed") {
  Looker app;
  const auto owner = another(app, app.dir.path());
  app.run(owner->init());
  const Pool writing = app.run(owner->db_instances.get_pool("x"));
  app.run(writing.execute("CREATE TABLE t(a)"));
  const Pool pool = app.open("x");
  for (int i = 1; i <= 3; ++i) {
    app.run(writing.execute("INSERT INTO t VALUES (?)", i));
    CHECK(app.rows(pool) == i);
  }
  SECTION("who writes goes first") {
    CHECK(app.run(owner->shutdown()).clean());
    CHECK(app.rows(pool) == 3);
    CHECK(app.run(app.state->shutdown()).clean());
  }
  SECTION("who reads goes first") {
    CHECK(app.run(app.state->shutdown()).clean());
    app.run(writing.execute("INSERT INTO t VALUES (4)"));
    CHECK(app.run(owner->shutdown()).clean());
  }
  check_closed(app.file());
}

TEST_CASE("read_only: a log that another process has left is read and left, byte for byte, with the file") {
  Looker app;
  make(app.file());
  leave_log(app.file(), "INSERT INTO t VALUES (8)");
  const std::string file = read_file(app.file());
  const std::string log = read_file(app.file().string() + "-wal");
  REQUIRE(!log.empty());
  const Pool pool = app.open("x");
  CHECK(app.rows(pool) == 2);
  SECTION("at the end") {
    CHECK(app.run(app.state->shutdown()).clean());
  }
  SECTION("falling asleep") {
    app.pass(70s);
    REQUIRE(pool.stats().state == database_state::asleep);
  }
  CHECK(read_file(app.file()) == file);
  CHECK(read_file(app.file().string() + "-wal") == log);
}

TEST_CASE("read_only: what another process has committed is left to it, when it is killed meanwhile, too") {
  // another                     this process
  //                             opens, without a log
  // INSERT
  // killed                      reads it, closes
  const testing::TempDir dir;
  make(dir / "x.db");
  const Pipe go;
  const Pipe went;
  Neighbour other([&] {
    go.wait();
    const PlainDatabase database(dir / "x.db");
    database.execute("INSERT INTO t VALUES (8)");
    went.tell();
    ::pause();
  });
  SteppedApp app;
  LookerElsewhere looker(app, dir.path());
  const Pool pool = looker.open();
  go.tell();
  went.wait();
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 2);
  CHECK(other.kill());
  CHECK(app.run(looker.state->shutdown()).clean());
  CHECK(fs::file_size((dir / "x.db").string() + "-wal") > 0);
  CHECK(value(dir / "x.db", "SELECT count(*) FROM t") == "2");
}

TEST_CASE("read_only: a file that nobody has open stays as it is, whatever its mode, and nothing is left beside it") {
  const std::string mode = GENERATE("WAL", "DELETE");
  Looker app;
  make(app.file(), mode);
  fs::permissions(app.file(), fs::perms(0644));
  const std::string before = read_file(app.file());
  const Pool pool = app.open("x");
  app.open_readers(pool, 2);
  CHECK(app.rows(pool) == 1);
  app.clock->advance(24h);
  app.settle();
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(names_in(app.dir.path()) == std::vector<std::string>{"x.db"});
  CHECK(read_file(app.file()) == before);
  CHECK(mode_of(app.file()) == 0644);
}

TEST_CASE("read_only: a file that is missing is an error that says so, and neither it nor its directory is made") {
  Looker app;
  app.run(app.state->init());
  for (const char* const name : {"x", "inner/x"}) {
    auto refused = app.ended(app.state->db_instances.get_pool(name));
    CHECK(refused.code() == boost::system::errc::no_such_file_or_directory);
    CHECK(contains(refused.text(), "there is no database file"));
  }
  CHECK(names_in(app.dir.path()).empty());
  make(app.file());
  CHECK(app.rows(app.open("x")) == 1);
}

TEST_CASE("read_only: a data directory that is not there is not made") {
  SteppedApp app;
  LookerElsewhere looker(app, app.dir / "missing");
  CHECK(app.code(looker.state->init()) == boost::system::errc::no_such_file_or_directory);
  CHECK(names_in(app.dir.path()).empty());
}

TEST_CASE("read_only: migrations are never run, and pending ones fail the opening, by name") {
  Looker app;
  const Migrator first = migrations({"CREATE TABLE t(a)"});
  const Migrator all = migrations({"CREATE TABLE t(a)", "CREATE TABLE u(a)", "CREATE TABLE v(a)"});
  const auto migrate = [&](const Migrator& migrator) {
    Connection db(app.file());
    migrator.run(db);
  };
  migrate(first);
  SECTION("behind, until who writes has come") {
    app.state->db_instances.add_migrator("x", all);
    const std::string before = read_file(app.file());
    CHECK(app.opening() == errc::migration_pending);
    CHECK(contains(app.failed_opening(), "migrations 2, 3 pending, and the database is opened read_only"));
    CHECK(app.state->db_instances.health().databases.at(0).reason == health_reason::failed);
    CHECK(read_file(app.file()) == before);
    migrate(all);
    const Pool pool = app.open("x");
    CHECK(pool.stats().schema_version == 3);
    CHECK(pool.stats().migrations_applied == 0);
  }
  SECTION("as usual: one that was changed") {
    app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(b)"}));
    CHECK(app.opening() == errc::migration_mismatch);
  }
  SECTION("as usual: one that is not known") {
    migrate(all);
    app.state->db_instances.add_migrator("x", first);
    CHECK(app.opening() == errc::migration_missing);
  }
  SECTION("without a migrator nothing is looked at") {
    CHECK(app.rows(app.open("x")) == 0);
  }
  SECTION("a database without any record") {
    fs::remove(app.file());
    make(app.file());
    app.state->db_instances.add_migrator("x", first);
    CHECK(contains(app.failed_opening(), "migration 1 pending"));
  }
  SECTION("migrate_all tells of it, too") {
    app.state->db_instances.add_migrator("x", all);
    app.run(app.state->init());
    const MigrateAllReport report = app.run(app.state->db_instances.migrate_all());
    REQUIRE(report.databases.size() == 1);
    CHECK(report.databases.at(0).code == errc::migration_pending);
    CHECK(open_descriptors(app.file()) == 0);
    migrate(all);
    CHECK(app.run(app.state->db_instances.migrate_all()).clean());
    check_closed(app.file());
  }
}

TEST_CASE("read_only: it sleeps when nobody uses it, and wakes with what is there then") {
  PoolOptions options = read_only();
  options.idle_close = 1min;
  Looker app(options);
  make(app.file());
  const Pool pool = app.open("x");
  CHECK(app.rows(pool) == 1);
  const auto fall_asleep = [&] {
    app.pass(70s);
    REQUIRE(pool.stats().state == database_state::asleep);
    CHECK(open_descriptors(app.file()) == 0);
  };
  fall_asleep();
  CHECK(names_in(app.dir.path()) == std::vector<std::string>{"x.db"});
  CHECK(app.rows(pool) == 1);
  SECTION("another file") {
    fall_asleep();
    make(app.dir / "new.db");
    PlainDatabase(app.dir / "new.db").execute("INSERT INTO t VALUES (8)");
    fs::rename(app.dir / "new.db", app.file());
    CHECK(app.rows(pool) == 2);
  }
  SECTION("none, until it is back") {
    fall_asleep();
    fs::rename(app.file(), app.dir / "away.db");
    CHECK(app.code(pool.query_all<int>("SELECT a FROM t")) == boost::system::errc::no_such_file_or_directory);
    fs::rename(app.dir / "away.db", app.file());
    CHECK(app.rows(pool) == 1);
  }
  CHECK(app.code(pool.execute("DELETE FROM t")) == errc::write_on_reader);
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(app.file());
}

TEST_CASE("read_only: what is pending in the file that is there after a sleep is found") {
  PoolOptions options = read_only();
  options.idle_close = 1min;
  Looker app(options);
  const auto migrate = [](const fs::path& file, const Migrator& migrator) {
    Connection db(file);
    migrator.run(db);
  };
  const Migrator both = migrations({"CREATE TABLE t(a)", "CREATE TABLE u(a)"});
  migrate(app.file(), both);
  app.state->db_instances.add_migrator("x", both);
  const Pool pool = app.open("x");
  CHECK(app.rows(pool) == 0);
  app.pass(70s);
  REQUIRE(pool.stats().state == database_state::asleep);
  migrate(app.dir / "new.db", migrations({"CREATE TABLE t(a)"}));
  fs::rename(app.dir / "new.db", app.file());
  CHECK(app.code(pool.query_all<int>("SELECT a FROM t")) == errc::migration_pending);
}

TEST_CASE("read_only: a file that is replaced while it is open is lost, until it is closed and opened again") {
  const bool immutable = GENERATE(false, true);
  Looker app(read_only(immutable));
  make(app.file());
  const Pool pool = app.open("x");
  CHECK(app.rows(pool) == 1);
  make(app.dir / "new.db");
  PlainDatabase(app.dir / "new.db").execute("INSERT INTO t VALUES (8)");
  fs::rename(app.dir / "new.db", app.file());
  app.clock->advance(1s);
  app.settle();
  CHECK(app.code(pool.query_all<int>("SELECT a FROM t")) == errc::file_replaced);
  CHECK(app.state->db_instances.health().databases.at(0).reason == health_reason::file_replaced);
  app.run(app.state->db_instances.close("x"));
  CHECK(app.rows(app.open("x")) == 2);
}

TEST_CASE("read_only: a log that goes while it is open is noticed") {
  Looker app;
  make(app.file());
  const Pool pool = app.open("x");
  fs::remove(app.file().string() + "-wal");
  app.clock->advance(1s);
  app.settle();
  CHECK(app.code(pool.query_all<int>("SELECT a FROM t")) == errc::file_replaced);
}

TEST_CASE("read_only: a file that may not be written is read where that leaves nothing behind, else told how to") {
  const std::string mode = GENERATE("DELETE", "WAL");
  const std::string text = as_nobody([&]() -> std::string {
    SteppedApp app;
    make(app.dir / "x.db", mode);
    fs::permissions(app.dir / "x.db", fs::perms(0400));
    LookerElsewhere looker(app, app.dir.path());
    return outcome_of([&] {
      const Pool pool = looker.open();
      if (app.run(pool.query_one<int>("SELECT a FROM t")) != 7) throw std::runtime_error("another value");
    });
  });
  CAPTURE(text);
  if (mode == "DELETE")
    CHECK(text == "well");
  else
    CHECK(contains(text, "where nobody writes it, open it as immutable"));
}

TEST_CASE("immutable: it needs neither locks nor a log, in a directory that may not be written, whatever its name") {
  const std::string mode = GENERATE("WAL", "DELETE");
  const std::string text = as_nobody([&]() -> std::string {
    SteppedApp app;
    const fs::path directory = app.dir / "50% #1?immutable=0";
    fs::create_directory(directory);
    make(directory / "x.db", mode);
    fs::create_hard_link(directory / "x.db", directory / "another name");
    fs::permissions(directory / "x.db", fs::perms(0400));
    fs::permissions(directory, fs::perms(0500));
    LookerElsewhere looker(app, directory, read_only(true));
    const Pool pool = looker.open();
    const auto row = app.run(pool.query_one<int>("SELECT a FROM t"));
    const auto names = names_in(directory).size();
    app.run(looker.state->shutdown());
    fs::permissions(directory, fs::perms(0700));
    return std::to_string(row) + " read, " + std::to_string(names) + " files";
  });
  CHECK(text == "7 read, 2 files");
}

TEST_CASE("immutable: a file that is not complete without its log or journal is refused") {
  Looker app(read_only(true));
  SECTION("a log") {
    make(app.file());
    leave_log(app.file(), "INSERT INTO t VALUES (8)");
  }
  SECTION("a journal") {
    HotJournal().copy_to(app.dir.path());
  }
  CHECK(app.opening() == errc::invalid_option);
  CHECK(contains(app.failed_opening(), "cannot be opened as immutable"));
}

TEST_CASE("read_only: queries run on the calling thread, where that is asked for") {
  PoolOptions options = read_only();
  options.inline_reads = true;
  Looker app(options);
  make(app.file());
  const Pool pool = app.open("x");
  CHECK(app.rows(pool) == 1);
  auto again = app.spawn(pool.query_one<int>("SELECT count(*) FROM t"));
  CHECK(again.done());  // no database thread has come
}

TEST_CASE("read_only: who listens hears within a second that somebody else has committed") {
  Looker app;
  make(app.file());
  const Pool pool = app.open("x");
  Changes changes = pool.changes({"t"});
  app.pass(120s);  // a reader stays for it
  auto next = app.spawn(changes.next());
  app.settle();
  while (next.done()) {  // what is opened anew cannot know what was before
    static_cast<void>(next.get());
    next = app.spawn(changes.next());
    app.settle();
  }
  app.pass(120s);
  CHECK_FALSE(next.done());
  PlainDatabase(app.file()).execute("INSERT INTO t VALUES (8)");
  app.pass(1s);
  REQUIRE(next.done());
  const auto change = next.get();
  REQUIRE(change);
  CHECK(change->perhaps);
  CHECK(change->tables == std::vector<std::string>{"t"});
  CHECK(app.rows(pool) == 2);
}

TEST_CASE("read_only: backups are made of it") {
  const bool immutable = GENERATE(false, true);
  Looker app(read_only(immutable));
  make(app.file());
  const Pool pool = app.open("x");
  const auto copy = [&](Reader& db) { return backup_into(db, app.dir / "backups", 1).file.string(); };
  const std::string made = app.run(pool.read(copy));
  CHECK(value(made, "SELECT a FROM t") == "7");
}

TEST_CASE("read_only: what it tells of itself is of readers") {
  Looker app;
  make(app.file());
  const Pool pool = app.open("x");
  CHECK(app.rows(pool) == 1);
  const DatabaseStats stats = pool.stats();
  CHECK(stats.state == database_state::ready);
  CHECK(stats.writer.max_connections == 0);
  CHECK(stats.readers.connections == 1);
  CHECK(stats.readers.max_connections == 2);
  CHECK(stats.file_bytes == fs::file_size(app.file()));
  CHECK_FALSE(stats.schema_version);
  CHECK(app.state->db_instances.health().databases.at(0).reason == health_reason::none);
}

TEST_CASE("read_only: damage is found at startup, where that is asked for") {
  PoolOptions options = read_only(GENERATE(false, true));
  options.startup_check = integrity_check::always;
  Looker app(options);
  make(app.file());
  fs::resize_file(app.file(), 4096);
  CHECK(app.opening() == errc::file_damaged);
}

TEST_CASE("read_only: a transaction that was cut short is left to who writes, and that is told") {
  const HotJournal left;
  Looker app;
  left.copy_to(app.dir.path());
  const std::string text = app.failed_opening();
  CAPTURE(text);
  CHECK(contains(text, "has to be rolled back first: have it opened once by who may write it"));
  CHECK(fs::file_size(app.file().string() + "-journal") > 0);
}

// pool                          another
// x.db: a query
//                               renames a new file to x.db, and has begun to write to it: x.db-journal
// a query: of the old file
TEST_CASE("read_only: the journal of a file that has taken the place of the one that is open is left alone") {
  const HotJournal left;
  Looker app;
  make(app.file(), "DELETE");
  const Pool pool = app.open("x");
  CHECK(app.rows(pool) == 1);
  fs::remove(app.file());
  left.copy_to(app.dir.path());
  const fs::path journal = app.file().string() + "-journal";
  const auto size = fs::file_size(journal);
  CHECK(app.code(pool.query_one<int>("SELECT count(*) FROM t")) == make_sqlite_error(SQLITE_READONLY_ROLLBACK));
  CHECK(fs::file_size(journal) == size);
}

TEST_CASE(
    "read_only: it goes neither beside a pool of this process that has the file for itself, nor immutable beside "
    "one that writes") {
  Looker app;
  make(app.file());
  PoolOptions writing;
  writing.connection.exclusive = GENERATE(true, false);
  const PoolOptions reading = read_only(!writing.connection.exclusive);
  SteppedApp other;
  const bool first = GENERATE(true, false);
  LookerElsewhere one(other, app.dir.path(), first ? writing : reading);
  LookerElsewhere another(other, app.dir.path(), first ? reading : writing);
  const Pool pool = one.open();
  const std::string text = outcome_of([&] { another.open(); });
  CAPTURE(text);
  CHECK(contains(text, "that goes neither with exclusive nor with immutable"));
  CHECK(other.run(pool.query_one<int>("SELECT count(*) FROM t")) == 1);
}

TEST_CASE("immutable: it does not go beside a connection of this process that writes, whichever comes first") {
  Looker app(read_only(true));
  make(app.file(), "DELETE");
  SECTION("the connection") {
    std::optional<Connection> writing(std::in_place, app.file());
    CHECK(app.opening() == errc::file_in_use);
    writing.reset();
    CHECK(app.rows(app.open("x")) == 1);
  }
  SECTION("the pool") {
    const Pool pool = app.open("x");
    CHECK(code_of([&] { Connection(app.file()); }) == errc::file_in_use);
    CHECK(Connection::for_reading(app.file()).query_one<int>("SELECT a FROM t") == 7);
    app.run(app.state->db_instances.close("x"));
    CHECK_NOTHROW(Connection(app.file()));
  }
}

TEST_CASE("read_only: it goes beside connections of this process that write") {
  Looker app;
  make(app.file());
  Connection one(app.file());
  const Pool pool = app.open("x");
  Connection another(app.file());
  one.execute("INSERT INTO t VALUES (8)");
  another.execute("INSERT INTO t VALUES (9)");
  CHECK(app.rows(pool) == 3);
}

}  // namespace
}  // namespace statehouse::test
