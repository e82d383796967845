#include "statehouse/backup.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "error_of.hpp"
#include "open_session.hpp"
#include "state_support.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/temp_dir.hpp"

// The library's side of backups; tests/cli has other processes that write, kill and look.

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;
namespace fs = std::filesystem;

namespace {

/// A database of a few hundred pages, in several slices.
struct Source {
  Source() {
    connection.execute("CREATE TABLE t(x)");
    connection.execute(
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "INSERT INTO t SELECT randomblob(3000) FROM n");
  }
  std::vector<std::string> files() const { return names_in(dir.path()); }

  TempDir dir;
  Connection connection{dir / "x.db"};
};

const std::vector<std::string> untouched = {"x.db", "x.db-shm", "x.db-wal"};

int rows_in(const fs::path& file) {
  return Connection::for_reading(file).query_one<int>("SELECT count(*) FROM t");
}

std::string journal_mode(const fs::path& file) {
  return SQLite::Database(file.string()).execAndGet("PRAGMA journal_mode").getString();
}

}  // namespace

TEST_CASE(
    "backup: a private copy in WAL mode, with progress to the last page, and the locks of the process as they were") {
  Source source;
  session(source.connection).begin(detail::transaction_kind::deferred);
  REQUIRE(source.connection.query_one<int>("SELECT count(*) FROM t") == 1000);  // locks that would be missed
  const auto locks = locks_of_this_process();
  REQUIRE(locks.size() >= 3);
  std::vector<std::int64_t> done;
  std::int64_t total = 0;
  BackupOptions options;
  options.on_progress = [&](std::int64_t pages, std::int64_t all) {
    done.push_back(pages);
    total = all;
  };
  const auto report = backup(source.connection, source.dir / "copy.db", options);
  CHECK(locks_of_this_process() == locks);
  session(source.connection).rollback();
  CHECK(mode_of(source.dir / "copy.db") == 0600);
  CHECK(report.bytes == static_cast<std::int64_t>(fs::file_size(source.dir / "copy.db")));
  CHECK(done.size() > 2);
  CHECK(std::ranges::is_sorted(done));
  CHECK(done.back() == total);
  CHECK(rows_in(source.dir / "copy.db") == 1000);
  CHECK(journal_mode(source.dir / "copy.db") == "wal");
}

TEST_CASE("backup: the copy is what the reader's transaction sees, whatever is committed meanwhile") {
  Source source;
  auto connection = Connection::for_reading(source.dir / "x.db");
  BackupOptions options;
  int calls = 0;
  options.on_progress = [&](std::int64_t, std::int64_t) {
    source.connection.execute("DELETE FROM t WHERE rowid = ?", ++calls);
  };
  backup(connection, source.dir / "copy.db", options);
  REQUIRE(calls > 2);
  CHECK(rows_in(source.dir / "copy.db") == 1000);
  CHECK(source.connection.query_one<int>("SELECT count(*) FROM t") == 1000 - calls);
  CHECK_FALSE(session(connection).in_transaction());

  session(connection).begin(detail::transaction_kind::deferred);
  CHECK(connection.query_one<int>("SELECT count(*) FROM t") == 1000 - calls);
  source.connection.execute("DELETE FROM t");
  backup(connection, source.dir / "older.db");
  CHECK(rows_in(source.dir / "older.db") == 1000 - calls);
  CHECK(session(connection).in_transaction());
}

TEST_CASE("backup: a stop request, an exception and a damaged database leave nothing behind") {
  Source source;
  BackupOptions stopping;
  stopping.on_progress = [&](std::int64_t, std::int64_t) {
    session(source.connection).interrupter().request(detail::stop_reason::cancelled);
  };
  CHECK(code_of([&] { backup(source.connection, source.dir / "copy.db", stopping); }) ==
        boost::system::errc::operation_canceled);
  session(source.connection).interrupter().disarm();
  BackupOptions throwing;
  throwing.on_progress = [](std::int64_t, std::int64_t) { throw std::runtime_error("enough"); };
  CHECK_THROWS_AS(backup(source.connection, source.dir / "copy.db", throwing), std::runtime_error);
  CHECK(source.files() == untouched);
  CHECK_NOTHROW(backup(source.connection, source.dir / "copy.db"));

  session(source.connection).begin(detail::transaction_kind::immediate);
  CHECK(code_of([&] { backup(source.connection, source.dir / "bad.db"); }) == errc::operation_in_progress);
  {
    detail::PermissionScope scope(session(source.connection), detail::permission::unrestricted);
    sqlite3_db_config(session(source.connection).handle().get(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
    source.connection.execute_script(
        "CREATE INDEX i ON t(x); PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 3 WHERE name = 'i'");
  }
  session(source.connection).commit();
  CHECK(code_of([&] { backup(source.connection, source.dir / "bad.db"); }) == make_sqlite_error(SQLITE_CORRUPT));
  CHECK_FALSE(fs::exists(source.dir / "bad.db"));
}

TEST_CASE("backup: functions and collations of the application are there when the copy is checked") {
  TempDir dir;
  ConnectionOptions options;
  options.on_connect = [](Connection& connection, connection_role) {
    sqlite3_create_collation(connection.native().getHandle(), "own", SQLITE_UTF8, nullptr,
                             [](void*, int a, const void*, int b, const void*) { return a - b; });
  };
  Connection source(dir / "x.db", options);
  source.execute("CREATE TABLE t(x TEXT COLLATE own UNIQUE)");
  source.execute("INSERT INTO t VALUES ('a'), ('bb')");
  CHECK_NOTHROW(backup(source, dir / "copy.db"));
}

TEST_CASE("backup: in a pool it is a read among others, and its reader goes on afterwards") {
  ThreadedApp app;
  app.state->db_instances.add_migrator("test", migrations({"CREATE TABLE t(x)", "INSERT INTO t VALUES (1), (2)"}));
  const Pool pool = app.open();
  const fs::path target = app.dir / "copy.db";
  auto copy = [&](Reader& snapshot) { return backup(snapshot, target).bytes; };
  CHECK(app.run(pool.read(copy)) > 0);
  CHECK(rows_in(target) == 2);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 2);
}

TEST_CASE("a connection for reading creates nothing, writes nothing and keeps the journal mode") {
  TempDir dir;
  CHECK(code_of([&] { Connection::for_reading(dir / "x.db"); }) == boost::system::errc::no_such_file_or_directory);
  std::ofstream(dir / "file") << "text";
  CHECK(code_of([&] { Connection::for_reading(dir / "file" / "x.db"); }) == boost::system::errc::not_a_directory);
  fs::remove(dir / "file");
  CHECK(fs::is_empty(dir.path()));
  PlainDatabase(dir / "x.db").execute("CREATE TABLE t(x)");
  {
    auto connection = Connection::for_reading(dir / "x.db");
    CHECK(connection.query_one<int>("SELECT count(*) FROM t") == 0);
    CHECK(code_of([&] { connection.execute("INSERT INTO t VALUES (1)"); }) == errc::write_on_reader);
  }
  CHECK(journal_mode(dir / "x.db") == "delete");
}
