// quick_check and its kin, on connections of their own. What a pool makes of them: state_startup_check_test.cpp.

#include "statehouse/check.hpp"

#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "error_of.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::code_of;

namespace {

/// A closed database with some hundred pages of a table `t` whose values must be positive.
struct File {
  testing::TempDir directory;
  std::filesystem::path path = directory / "a.db";

  File() {
    Connection db(path);
    db.execute("CREATE TABLE t(x CHECK(x > 0), filler)");
    db.execute(
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) "
        "INSERT INTO t SELECT i, randomblob(1500) FROM c");
  }
  void damage() const {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(99 * 4096);
    file << "no page of SQLite";
  }
};

TEST_CASE("quick_check: finds nothing in a whole file, and the damage in another") {
  const File file;
  {
    auto db = Connection::for_reading(file.path);
    const QuickCheck whole = quick_check(db);
    CHECK(whole.findings.empty());
    CHECK(whole.finished);
  }
  file.damage();
  auto db = Connection::for_reading(file.path);
  const QuickCheck damaged = quick_check(db);
  CHECK_FALSE(damaged.findings.empty());
  CHECK(damaged.finished);
}

TEST_CASE("quick_check: a whole table WITHOUT ROWID is whole, in whatever order its key is") {
  const testing::TempDir directory;
  const auto path = directory / "a.db";
  {
    Connection db(path);
    db.execute("CREATE TABLE t(a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(b, a)) WITHOUT ROWID");
    db.execute("INSERT INTO t VALUES ('x', 'y')");
  }
  auto db = Connection::for_reading(path);
  CHECK(quick_check(db).findings.empty());
  backup(db, directory / "copy.db");
  auto copy = Connection::for_reading(directory / "copy.db");
  CHECK(copy.query_one<std::string>("SELECT b FROM t WHERE a = 'x'") == "y");
}

TEST_CASE("quick_check: passes over CHECK constraints; afterwards the connection minds them as it did before") {
  const File file;
  const auto insert = [](Connection& db) { db.execute("INSERT INTO t VALUES (-1, '')"); };
  {
    ConnectionOptions ignoring;
    ignoring.on_connect = [](Connection& db, connection_role) { db.execute("PRAGMA ignore_check_constraints = ON"); };
    Connection db(file.path, ignoring);
    insert(db);
    CHECK(quick_check(db).findings.empty());
    CHECK_NOTHROW(insert(db));
  }
  Connection db(file.path);
  CHECK(quick_check(db).findings.empty());
  CHECK(code_of([&] { insert(db); }) == condition::constraint);
}

TEST_CASE("has_leftovers: a log or journal with content beside the file, not an empty one") {
  const testing::TempDir directory;
  const std::filesystem::path path = directory / "a.db";
  CHECK_FALSE(has_leftovers(path));
  for (const char* const suffix : {"-wal", "-journal"}) {
    const std::filesystem::path beside = path.string() + suffix;
    std::ofstream{beside};
    CHECK_FALSE(has_leftovers(path));
    std::ofstream{beside} << 'x';
    CHECK(has_leftovers(path));
    std::filesystem::remove(beside);
  }
}

TEST_CASE("is_damage: SQLITE_CORRUPT and SQLITE_NOTADB in all variants, of SQLite only") {
  for (const int code : {SQLITE_CORRUPT, SQLITE_CORRUPT_VTAB, SQLITE_CORRUPT_INDEX, SQLITE_NOTADB})
    CHECK(is_damage(make_sqlite_error(code)));
  for (const int code : {SQLITE_OK, SQLITE_ERROR, SQLITE_IOERR, SQLITE_BUSY, SQLITE_FULL})
    CHECK_FALSE(is_damage(make_sqlite_error(code)));
  CHECK_FALSE(is_damage({SQLITE_CORRUPT, boost::system::system_category()}));
}

}  // namespace
