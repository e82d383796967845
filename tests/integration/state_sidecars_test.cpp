// The log and its index are a part of an open database.

#include <catch2/generators/catch_generators.hpp>

#include "neighbour.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

enum class fate { removed, renamed, a_file, a_directory };

void happen(fate what, const fs::path& file) {
  if (what == fate::renamed) {
    fs::rename(file, file.string() + ".moved");
  } else {
    fs::remove(file);
  }
  if (what == fate::a_file) write_file(file, "not a log");
  if (what == fate::a_directory) fs::create_directory(file);
}

TEST_CASE("sidecars: a log or an index that is removed or replaced is noticed within a second, and nothing is lost") {
  const auto what = GENERATE(fate::removed, fate::renamed, fate::a_file, fate::a_directory);
  const std::vector<const char*> which = GENERATE(std::vector<const char*>{"-wal"}, std::vector<const char*>{"-shm"},
                                                  std::vector<const char*>{"-wal", "-shm"});
  CAPTURE(static_cast<int>(what), which);
  SteppedApp app;
  const Pool pool = app.open("x");
  const Pool healthy = app.open("healthy");
  for (const Pool& each : {pool, healthy}) app.run(each.execute("CREATE TABLE t(x)"));
  for (const char* const suffix : which) happen(what, pool.path().string() + suffix);
  app.run(pool.execute("INSERT INTO t VALUES (1)"));  // acknowledged, into what has no name
  CHECK(app.state->db_instances.stats().at(1).state == database_state::ready);
  app.clock->advance(1s);
  CHECK(app.spawn(pool.execute("INSERT INTO t VALUES (2)")).code() == errc::file_replaced);
  app.settle();
  const DatabaseStats stats = app.state->db_instances.stats().at(1);
  CHECK(stats.state == database_state::failed);
  CHECK(contains(stats.last_error, std::string("'x.db") + which.front() + "', a part of the database, was moved"));
  CHECK(app.log.count("moved, deleted or replaced", spdlog::level::err) == 1);
  CHECK(app.spawn(app.state->db_instances.get_pool("x")).code() == errc::file_replaced);
  CHECK(app.run(healthy.execute("INSERT INTO t VALUES (1)")).changes == 1);
  CHECK(open_descriptors(pool.path()) == 0);
  for (const char* const suffix : {"-wal", "-shm"}) fs::remove(pool.path().string() + suffix);
  CHECK(column(pool.path(), "SELECT x FROM t") == std::vector<std::string>{"1"});
  CHECK(value(pool.path(), "PRAGMA quick_check") == "ok");
  CHECK(app.run(app.state->shutdown()).clean());
}

TEST_CASE("sidecars: while another process uses the database with another log, ours is not moved into it") {
  // this process                        another
  // INSERT, into the log without a name
  //                                     makes a log, INSERT, elsewhere
  // notices, closes
  //                                     INSERT, closes
  SteppedApp app;
  const fs::path file = app.dir / "x.db";
  const Pipe go;
  const Pipe went;
  Neighbour other([&] {
    go.wait();
    const PlainDatabase database(file);
    for (const char* const sql : {"INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"}) {
      database.execute(sql);
      went.tell();
      go.wait();
    }
  });
  const Pool pool = app.open("x");
  for (const char* const sql : {"CREATE TABLE t(x)", "CREATE TABLE ours(x)"}) app.run(pool.execute(sql));
  for (int i = 0; i < 10; ++i) {  // idle: all of it is moved
    app.clock->advance(1s);
    app.settle();
  }
  REQUIRE(pool.stats().wal_bytes == 0);
  for (const char* const suffix : {"-wal", "-shm"}) fs::remove(file.string() + suffix);
  app.run(pool.execute("INSERT INTO ours VALUES (1)"));
  go.tell();
  went.wait();
  app.clock->advance(1s);
  app.settle();
  CHECK(app.state->db_instances.stats().at(0).state == database_state::failed);
  CHECK(open_descriptors(file) == 0);
  go.tell();
  went.wait();
  CHECK(column(file, "SELECT x FROM t") == std::vector<std::string>{"2", "3"});
  CHECK(column(file, "SELECT x FROM ours").empty());
  CHECK(value(file, "PRAGMA quick_check") == "ok");
  CHECK(other.kill());
}

TEST_CASE("sidecars: no connection is opened any more once one of them is gone, noticed or not") {
  PoolOptions options;
  options.readers = 1;
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  fs::remove(pool.path().string() + "-wal");
  const auto changes = [](Connection& db) { db.native(); };
  app.run(pool.write(changes));  // the connection is to be replaced
  CHECK(app.spawn(pool.execute("INSERT INTO t VALUES (1)")).completions() == 0);
  app.settle();
  CHECK_FALSE(fs::exists(pool.path().string() + "-wal"));
  CHECK(app.code(pool.execute("INSERT INTO t VALUES (2)")) == errc::file_replaced);
}

TEST_CASE("sidecars: the loss of one while a connection is opened anew is noticed, too") {
  std::optional<fs::path> lose;
  PoolOptions options;
  options.connection.on_connect = [&](Connection&, connection_role) {
    if (lose) fs::remove(*std::exchange(lose, std::nullopt));
  };
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  const auto changes = [](Connection& db) { db.native(); };
  lose = pool.path().string() + "-wal";
  app.run(pool.write(changes));  // the connection is to be replaced
  app.settle();
  REQUIRE_FALSE(lose.has_value());
  app.clock->advance(1s);
  app.settle();
  CHECK(app.state->db_instances.stats().at(0).state == database_state::failed);
}

TEST_CASE("sidecars: their loss is noticed also when a connection has been closed before") {
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  const auto changes = [](Reader& db) { db.native(); };
  app.run(pool.read(changes));
  for (int i = 0; i < 8; ++i) app.run(pool.query_one<int>("SELECT count(*) FROM t"));  // by another connection
  REQUIRE(pool.stats().readers.replaced == 1);
  fs::remove(pool.path().string() + "-wal");
  app.clock->advance(1s);
  app.settle();
  CHECK(app.state->db_instances.stats().at(0).state == database_state::failed);
}

TEST_CASE("sidecars: those of a connection that was the only one and could not be cleaned are no loss") {
  PoolOptions options;
  options.mode = pool_mode::single;
  SteppedApp app(options);
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  // It can neither be committed nor rolled back.
  const auto stuck = [](Connection& db) {
    sqlite3_set_authorizer(
        db.native().getHandle(),
        [](void*, int action, const char*, const char*, const char*, const char*) {
          return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
        },
        nullptr);
  };
  CHECK(app.ended(pool.write(stuck)).failed());
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (1)")).changes == 1);
  CHECK(pool.stats().writer.replaced == 1);
  app.clock->advance(1s);
  app.settle();
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 1);
}

/// Whatever is done to a database in order is no loss of it.
void check_well(SteppedApp& app, const Pool& pool) {
  for (int i = 0; i < 12; ++i) {
    app.clock->advance(1s);
    app.settle();
    REQUIRE(pool.stats().last_error.empty());
  }
  CHECK(app.run(pool.query_one<int>("SELECT 1")) == 1);
}

TEST_CASE("sidecars: what SQLite itself makes, cuts and leaves is no loss") {
  AppStateOptions options;
  options.pool.readers = 2;
  SECTION("a pool") {}
  SECTION("one connection") {
    options.pool.mode = pool_mode::single;
  }
  SECTION("in memory") {
    options.pool.in_memory = true;
  }
  SECTION("a file of this process alone, which has no index") {
    options.pool.connection.exclusive = true;
  }
  SteppedApp app(std::move(options));
  app.state->db_instances.add_migrator(
      "x",
      migrations({"CREATE TABLE t(x)", "-- no-transaction\nPRAGMA journal_mode = DELETE; INSERT INTO t VALUES (1);"}));
  const Pool pool = app.open("x");
  check_well(app, pool);
  app.run(pool.execute("INSERT INTO t VALUES (2)"));
  check_well(app, pool);  // cut when nothing is written
  auto vacuum = [](Connection& db) { db.execute("VACUUM"); };
  app.run(pool.write_without_transaction(vacuum));
  check_well(app, pool);
  auto changes = [](Connection& db) { db.native(); };
  for (int i = 0; i < 3; ++i) {
    app.run(pool.write(changes));  // which has the connection opened anew
    auto reads = [](Reader& db) { db.native(); };
    app.run(pool.read(reads));
    check_well(app, pool);
  }
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 2);
  CHECK(app.run(app.state->shutdown()).clean());
}

TEST_CASE("sidecars: other processes that come and go are no loss") {
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  for (int i = 0; i < 3; ++i) {
    PlainDatabase(pool.path()).execute("INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)");
    check_well(app, pool);
  }
}

TEST_CASE(
    "sidecars: an index that a killed process has left beside a file that is now one process's alone is no loss") {
  PoolOptions options;
  options.connection.exclusive = true;
  SteppedApp app(options);
  { PlainDatabase(app.dir / "x.db").execute("PRAGMA journal_mode = WAL; CREATE TABLE t(x)"); }
  write_file(app.dir / "x.db-shm", std::string(32768, '\0'));
  const Pool pool = app.open("x");
  check_well(app, pool);
}

}  // namespace
}  // namespace statehouse::test
