#include <sys/stat.h>

#include <catch2/generators/catch_generators.hpp>
#include <fstream>

#include "left_log.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

/// A database of its own at `path` with rows that are only in its -wal, as a process that was killed leaves it.
void leave_behind(const fs::path& path) {
  leave_log(path,
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE other(x); "
            "INSERT INTO other VALUES (7)");
}

TEST_CASE(
    "file: a second AppState on the same directory is told that the file is in use, until the first is shut down") {
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  fs::create_directory_symlink(app.dir.path(), app.dir / "link");
  for (const fs::path& directory : {app.dir.path(), app.dir / "link"}) {
    auto second = another(app, directory);
    app.run(second->init());
    auto refused = app.spawn(second->db_instances.get_pool("x"));
    app.settle();
    CHECK(refused.code() == errc::file_in_use);
    CHECK(contains(refused.text(), "x.db"));
    CHECK(app.run(second->db_instances.get_pool("y")).name() == "y");
    app.run(pool.execute("INSERT INTO t VALUES (1)"));  // and the first goes on
    CHECK(app.run(second->shutdown()).clean());
  }
  auto second = another(app, app.dir.path());
  app.run(second->init());
  CHECK(app.run(app.state->shutdown()).clean());
  const Pool now_free = app.run(second->db_instances.get_pool("x"));
  CHECK(app.run(now_free.query_one<int>("SELECT count(*) FROM t")) == 2);
  CHECK(app.run(second->shutdown()).clean());
  check_closed(now_free.path());
}

TEST_CASE("file: one AppState may open what another could not") {
  SteppedApp app;
  app.state->db_instances.add_migrator("x", migrations({"nonsense"}));
  app.run(app.state->init());
  auto failing = app.spawn(app.state->db_instances.get_pool("x"));
  app.settle();
  CHECK(failing.failed());
  auto second = another(app, app.dir.path());
  app.run(second->init());
  CHECK(app.run(second->db_instances.get_pool("x")).name() == "x");
}

TEST_CASE("file: symbolic links, hard links and things that are no file are refused") {
  SteppedApp app;
  app.run(app.state->init());
  { PlainDatabase(app.dir / "real.db").execute("CREATE TABLE t(x)"); }
  fs::create_symlink(app.dir / "real.db", app.dir / "symbolic.db");
  fs::create_symlink(app.dir / "nowhere.db", app.dir / "dangling.db");
  fs::create_hard_link(app.dir / "real.db", app.dir / "hard.db");
  fs::create_directory(app.dir / "directory.db");
  REQUIRE(::mkfifo((app.dir / "fifo.db").c_str(), 0600) == 0);
  const auto get = [&](const char* name) {
    auto task = app.spawn(app.state->db_instances.get_pool(name));
    app.settle();
    return task;
  };
  for (const char* name : {"symbolic", "dangling", "directory", "fifo"}) {
    CAPTURE(name);
    CHECK(get(name).code() == errc::not_a_regular_file);
  }
  CHECK(contains(get("symbolic").text(), "symbolic link"));
  CHECK(contains(get("directory").text(), "directory"));
  CHECK(contains(get("fifo").text(), "special file"));
  CHECK(get("hard").code() == errc::hard_linked);
  CHECK(get("real").code() == errc::hard_linked);
  CHECK_FALSE(fs::exists(app.dir / "nowhere.db"));
  CHECK(open_descriptors(app.dir.path()) == 0);
  fs::remove(app.dir / "hard.db");
  CHECK_FALSE(get("real").failed());
}

TEST_CASE("file: database, -wal and -shm are 0600 under any umask") {
  const mode_t mask = GENERATE(mode_t{0}, mode_t{022}, mode_t{077});
  SteppedApp app;
  const mode_t before = ::umask(mask);
  const Pool pool = app.open("x");
  auto write = app.spawn(pool.execute("CREATE TABLE t(x)"));
  app.settle();
  ::umask(before);
  write.get();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    CAPTURE(suffix);
    CHECK(mode_of(pool.path().string() + suffix) == 0600);
  }
}

TEST_CASE("file: a looser mode is reported, or tightened where the options say so") {
  const bool tighten = GENERATE(false, true);
  PoolOptions options;
  options.connection.tighten_permissions = tighten;
  SteppedApp app(options);
  { PlainDatabase(app.dir / "x.db").execute("CREATE TABLE t(x)"); }
  ::chmod((app.dir / "x.db").c_str(), 0644);
  const Pool pool = app.open("x");
  CHECK(mode_of(pool.path()) == (tighten ? 0600 : 0644));
  CHECK(app.log.count("has mode 644", spdlog::level::warn) == (tighten ? 0 : 1));
}

/// What can happen to the file of an open database.
enum class mishap { unlinked, renamed, replaced };

void happen(mishap what, const fs::path& file) {
  if (what == mishap::unlinked) fs::remove(file);
  if (what == mishap::renamed) fs::rename(file, file.string() + ".moved");
  if (what == mishap::replaced) {
    const fs::path other = file.parent_path() / "other";
    leave_behind(other);
    for (const char* suffix : {"-wal", "-shm", ""}) fs::rename(other.string() + suffix, file.string() + suffix);
  }
}

TEST_CASE("file: moved, deleted or replaced while open, it is noticed within a second; the others go on") {
  const mishap what = GENERATE(mishap::unlinked, mishap::renamed, mishap::replaced);
  const bool noticed = GENERATE(true, false);  // before the shutdown
  CAPTURE(static_cast<int>(what), noticed);
  PoolOptions options;
  options.readers = 2;
  SteppedApp app(options);
  const Pool pool = app.open("x");
  const Pool healthy = app.open("healthy");
  for (const Pool& each : {pool, healthy}) app.run(each.execute("CREATE TABLE t(x)"));
  ReaderLease lease = app.run(pool.acquire(reader));
  const fs::path wal = pool.path().string() + "-wal";
  happen(what, pool.path());
  const auto wal_bytes = fs::file_size(wal);
  const DbInstances& databases = app.state->db_instances;
  if (noticed) {
    app.clock->advance(999ms);
    app.settle();
    CHECK(databases.stats().at(1).state == database_state::ready);
    app.clock->advance(1ms);
    // At once, before any database thread has done anything.
    CHECK(app.spawn(pool.execute("INSERT INTO t VALUES (1)")).code() == errc::file_replaced);
    app.settle();
    CHECK(app.log.count("'x': the file 'x.db' was moved, deleted or replaced", spdlog::level::err) == 1);
    for (int i = 0; i < 2; ++i) {
      CHECK(app.spawn(databases.get_pool("x")).code() == errc::file_replaced);
      CHECK_FALSE(databases.try_get_pool("x").has_value());
      CHECK(app.spawn(pool.execute("INSERT INTO t VALUES (1)")).code() == errc::file_replaced);
      CHECK(app.spawn(pool.query_all<int>("SELECT x FROM t")).code() == errc::file_replaced);
      CHECK(app.spawn(lease.query_all<int>("SELECT x FROM t")).code() == errc::file_replaced);
      CHECK(databases.names() == std::vector<std::string>{"healthy"});
      const DatabaseStats stats = databases.stats().at(1);
      CHECK(stats.state == database_state::failed);
      CHECK(contains(stats.last_error, "moved, deleted or replaced"));
      CHECK(open_descriptors(pool.path()) == 0);
      app.clock->advance(10s);
      app.settle();
    }
    CHECK(app.log.count("moved, deleted or replaced", spdlog::level::err) == 1);
    CHECK(code_of([&] { app.state->db_instances.add_migrator("x", migrations({})); }) == errc::already_open);
  }
  app.run(healthy.execute("INSERT INTO t VALUES (1)"));
  CHECK(databases.stats().at(0).state == database_state::ready);
  lease.release();
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(databases.stats().at(1).state == database_state::closed);
  check_closed(healthy.path());
  CHECK(open_descriptors(app.dir.path()) == 0);
  if (what != mishap::replaced) {
    CHECK_FALSE(fs::exists(pool.path()));
    return;
  }
  CHECK(fs::file_size(wal) == wal_bytes);
  CHECK(column(pool.path(), "SELECT x FROM other") == std::vector<std::string>{"7"});
  CHECK(value(pool.path(), "PRAGMA quick_check") == "ok");
}

TEST_CASE("file: after a mishap the same AppState still does not open what is there now, another one does") {
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  fs::remove(pool.path());
  fs::remove(pool.path().string() + "-wal");
  fs::remove(pool.path().string() + "-shm");
  app.clock->advance(1s);
  app.settle();
  auto second = another(app, app.dir.path());
  app.run(second->init());
  const Pool fresh = app.run(second->db_instances.get_pool("x"));
  app.run(fresh.execute("CREATE TABLE fresh(x)"));
  CHECK(app.spawn(app.state->db_instances.get_pool("x")).code() == errc::file_replaced);
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(app.run(fresh.query_one<int>("SELECT count(*) FROM fresh")) == 0);
  CHECK(app.run(second->shutdown()).clean());
  check_closed(fresh.path());
}

TEST_CASE("file: what runs when the file is found to be gone is stopped, and says why") {
  std::function<void()> hook;
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.connection.on_connect = with_hook(hook);
  SteppedApp app(std::move(options));
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  hook = [&] {
    fs::remove(pool.path());
    app.clock->advance(1s);
  };
  auto work = [](Connection& db) {
    db.query_one<int>("SELECT hook()");
    db.query_one<int>(endless);
  };
  auto running = app.spawn(pool.write(work));
  app.settle();
  CHECK(running.failed());
  CHECK(running.code() == condition::closed);
  CHECK(app.run(app.state->shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
