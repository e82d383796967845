// What is done to a connection before its first statement, and the VFS that it is opened with: encrypted databases.

#include <catch2/generators/catch_generators.hpp>

#include "child_process.hpp"
#include "state_support.hpp"
#include "statehouse/backup.hpp"
#include "xor_vfs.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr int right_key = 0x5a;
constexpr int wrong_key = 0x33;
constexpr const char* secret = "nobody may read this";

ConnectionOptions with_key(int key = right_key) {
  ConnectionOptions options;
  options.vfs = XorVfs::name;
  options.on_open = [key](SQLite::Database& database, connection_role) { XorVfs::unlock(database.getHandle(), key); };
  return options;
}

PoolOptions encrypted(int key = right_key) {
  PoolOptions options;
  options.readers = 2;
  options.connection = with_key(key);
  return options;
}

/// No byte of it stands there as it is, nor that it is a database at all.
void check_unreadable(const fs::path& file) {
  CAPTURE(file);
  const std::string bytes = read_file(file);
  CHECK_FALSE(contains(bytes, secret));
  CHECK_FALSE(contains(bytes, "SQLite format"));
  CHECK_FALSE(contains(bytes, "CREATE TABLE"));
}

/// A database of which only the log has the last commit, as a process leaves it that is killed.
void leave_encrypted(const fs::path& directory) {
  in_child([&]() -> std::string {
    auto* const db = new Connection(directory / "x.db", with_key());  // is not closed
    db->execute("CREATE TABLE t(a)");
    db->execute("INSERT INTO t VALUES (?)", secret);
    return {};
  });
}

std::string read_secret(SteppedApp& app, const Pool& pool) {
  return app.run(pool.query_one<std::string>("SELECT a FROM t"));
}

TEST_CASE("on_open: the file, its log and its backups have nothing in them as it is, and are opened again by the key") {
  XorVfs vfs;
  const testing::TempDir dir;
  PoolOptions options = encrypted();
  options.startup_check = integrity_check::always;
  options.backup.every = 1h;
  SteppedApp app(options);
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(a)"}));
  const Pool pool = app.open("x");
  app.run(pool.execute("INSERT INTO t VALUES (?)", secret));
  CHECK(read_secret(app, pool) == secret);
  fs::copy_file(pool.path().string() + "-wal", dir / "log");
  CHECK(fs::file_size(dir / "log") > 0);
  check_unreadable(dir / "log");
  for (int i = 0; i < 10; ++i) {  // idle: the log is moved, and a backup made
    app.clock->advance(1s);
    app.settle();
  }
  const auto copy = [&](Reader& db) { backup(db, app.dir / "copy"); };
  app.run(pool.read(copy));
  const auto made = backups_of(pool.path(), app.dir / "backups");
  REQUIRE(made.size() == 1);
  CHECK(app.run(app.state->shutdown()).clean());
  for (const fs::path& file : {pool.path(), app.dir / "copy", made.front()}) {
    check_unreadable(file);
    CHECK(Connection::for_reading(file, with_key()).query_one<std::string>("SELECT a FROM t") == secret);
    CHECK(code_of([&] { Connection::for_reading(file); }) == make_sqlite_error(SQLITE_NOTADB));
  }
}

TEST_CASE("on_open: a backup is restored with the key, and not without") {
  XorVfs vfs;
  const testing::TempDir dir;
  {
    Connection db(dir / "x.db", with_key());
    db.execute_script("CREATE TABLE t(a)");
    db.execute("INSERT INTO t VALUES (?)", secret);
    backup(db, dir / "copy");
    db.execute("DELETE FROM t");
  }
  CHECK(code_of([&] { restore(dir / "copy", dir / "x.db"); }) == make_sqlite_error(SQLITE_NOTADB));
  restore(dir / "copy", dir / "x.db", {.connection = with_key()});
  check_unreadable(dir / "x.db");
  CHECK(Connection(dir / "x.db", with_key()).query_one<std::string>("SELECT a FROM t") == secret);
}

TEST_CASE("on_open: what a killed process has committed is there, and a wrong key in between has not cost it") {
  XorVfs vfs;
  const testing::TempDir dir;
  leave_encrypted(dir.path());
  const fs::path file = dir / "x.db";
  REQUIRE(fs::file_size(file.string() + "-wal") > 0);
  for (const ConnectionOptions& other : {with_key(wrong_key), with_key(0)}) {
    const auto open = [&] { Connection db(file, other); };
    const Error refused = error_of(open);
    CHECK(refused.code() == make_sqlite_error(SQLITE_NOTADB));
    CHECK(contains(refused.what(), "if it is encrypted, it is with another key than on_open gives"));
    CHECK(code_of([&] { Connection::for_reading(file, other); }) == make_sqlite_error(SQLITE_NOTADB));
  }
  CHECK(Connection(file, with_key()).query_one<std::string>("SELECT a FROM t") == secret);
  CHECK_FALSE(fs::exists(file.string() + "-wal"));
}

TEST_CASE("on_open: it is called for every connection, before any statement, by its role") {
  XorVfs vfs;
  std::vector<connection_role> opened;
  std::vector<connection_role> connected;
  PoolOptions options = encrypted();
  options.connection.on_open = [&](SQLite::Database& database, connection_role role) {
    CHECK(sqlite3_total_changes(database.getHandle()) == 0);
    CHECK(sqlite3_next_stmt(database.getHandle(), nullptr) == nullptr);
    CHECK(opened.size() == connected.size());
    opened.push_back(role);
    XorVfs::unlock(database.getHandle(), right_key);
  };
  options.connection.on_connect = [&](Connection&, connection_role role) { connected.push_back(role); };
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.open_readers(pool, 2);
  CHECK(opened == std::vector{connection_role::writer, connection_role::reader, connection_role::reader});
  CHECK(connected == opened);
}

TEST_CASE("on_open: what it throws fails the opening, and leaves nothing open") {
  PoolOptions options;
  options.connection.on_open = [](SQLite::Database&, connection_role) { throw std::runtime_error("no key today"); };
  SteppedApp app(options);
  app.run(app.state->init());
  auto refused = app.ended(app.state->db_instances.get_pool("x"));
  CHECK(contains(refused.text(), "no key today"));
  CHECK(open_descriptors(app.dir / "x.db") == 0);
}

TEST_CASE("on_open: a reader's is of that read, and the writer goes on") {
  bool locked = false;
  PoolOptions options;
  options.readers = 1;
  options.connection.on_open = [&](SQLite::Database&, connection_role role) {
    if (locked && role == connection_role::reader) throw std::runtime_error("no key today");
  };
  SteppedApp app(options);
  const Pool pool = app.open("x");
  locked = true;
  CHECK(contains(app.ended(pool.query_one<int>("SELECT 1")).text(), "no key today"));
  app.run(pool.execute("CREATE TABLE t(a)"));
  locked = false;
  CHECK(app.run(pool.query_one<int>("SELECT 1")) == 1);
}

TEST_CASE("on_open: a database sleeps and wakes with its key, and is read where it is read only") {
  XorVfs vfs;
  PoolOptions options = encrypted();
  options.idle_close = 1min;
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(a)"));
  app.run(pool.execute("INSERT INTO t VALUES (?)", secret));
  for (int i = 0; i < 80; ++i) {
    app.clock->advance(1s);
    app.settle();
  }
  REQUIRE(pool.stats().state == database_state::asleep);
  CHECK(read_secret(app, pool) == secret);
  CHECK(app.run(app.state->shutdown()).clean());
  PoolOptions looking = encrypted();
  looking.read_only = true;
  looking.immutable = GENERATE(false, true);
  SteppedApp looker(looking);
  fs::copy_file(pool.path(), looker.dir / "x.db");
  CHECK(read_secret(looker, looker.open("x")) == secret);
}

TEST_CASE("vfs: one that is not registered fails the opening, and one with exclusive the configuration") {
  SteppedApp app;
  PoolOptions options;
  options.connection.vfs = "nobody's";
  app.state->db_instances.configure("x", options);
  app.run(app.state->init());
  auto refused = app.ended(app.state->db_instances.get_pool("x"));
  CHECK(refused.code() == errc::invalid_option);
  CHECK(contains(refused.text(), "no VFS is registered as 'nobody's'"));
  options.connection.exclusive = true;
  CHECK(code_of([&] { app.state->db_instances.configure("y", options); }) == errc::invalid_option);
  CHECK(code_of([&] { app.state->db_instances.configure("y*", options); }) == errc::invalid_option);
  AppStateOptions for_all;
  for_all.pool = options;
  CHECK(code_of([&] { AppState state(app.io.get_executor(), for_all); }) == errc::invalid_option);
  CHECK(code_of([&] { Connection db(app.dir / "y.db", options.connection); }) == errc::invalid_option);
}

TEST_CASE("on_open, vfs: refused for a cluster, whose nodes open the files") {
  ThreadedApp app;
  PoolOptions options;
  options.cluster.nodes = {"127.0.0.1:9001"};
  PoolOptions with_vfs = options;
  with_vfs.connection.vfs = "xor";
  CHECK(code_of([&] { app.state->db_instances.configure("c", with_vfs); }) == errc::invalid_option);
  options.connection.on_open = [](SQLite::Database&, connection_role) {};
  CHECK(code_of([&] { app.state->db_instances.configure("c", options); }) == errc::invalid_option);
}

}  // namespace
}  // namespace statehouse::test
