#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <filesystem>

#include "error_of.hpp"
#include "files.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "process_files.hpp"
#include "special_files.hpp"
#include "state_support.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/temp_dir.hpp"

// A backup in place of a database; tests/cli does it with the tool, beside servers.

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

/// x.db of three rows, and a backup of it from when it had two.
struct Restorable {
  Restorable() {
    Connection database(dir / "x.db");
    database.execute("CREATE TABLE t(x)");
    database.execute("INSERT INTO t VALUES (1), (2)");
    backup(database, dir / "copy.db");
    database.execute("INSERT INTO t VALUES (3)");
  }
  static std::int64_t rows(const fs::path& file) { return PlainDatabase(file).scalar("SELECT count(*) FROM t"); }
  RestoreReport restore_copy() const { return restore(dir / "copy.db", dir / "x.db"); }
  /// As of a process that was killed: a fourth row that is in the log alone.
  void leave_log() const {
    const Pipe written;
    Neighbour writer([&] {
      Connection database(dir / "x.db");
      database.execute("INSERT INTO t VALUES (4)");
      written.tell();
      ::pause();
    });
    written.wait();
    CHECK(writer.kill());
    REQUIRE(fs::file_size(dir / "x.db-wal") > 0);
  }
  /// The copy is gone before it gets its name, so the last step fails.
  RestoreReport restore_without_copy() const {
    RestoreOptions options;
    options.connection.on_connect = [this](Connection&, connection_role) {
      for (const std::string& name : names_in(dir.path()))
        if (name.ends_with(".partial")) fs::remove(dir / name);
    };
    return restore(dir / "copy.db", dir / "x.db", options);
  }
  /// The database, and nothing beside it.
  void check_untouched() const {
    CHECK(names_in(dir.path()) == Names{"copy.db", "x.db"});
    CHECK(rows(dir / "x.db") == 3);
  }

  TempDir dir;
};

}  // namespace

TEST_CASE("restore: the backup is the database, private, and what was there is kept whole under a name that is told") {
  const Restorable it;
  const std::string before = read_file(it.dir / "x.db");
  const RestoreReport report = it.restore_copy();
  CHECK(it.rows(it.dir / "x.db") == 2);
  CHECK(mode_of(it.dir / "x.db") == 0600);
  CHECK(fs::hard_link_count(it.dir / "x.db") == 1);
  CHECK(report.bytes == static_cast<std::int64_t>(fs::file_size(it.dir / "copy.db")));
  CHECK(read_file(it.dir / "copy.db") == read_file(it.dir / "x.db"));
  CHECK(names_in(it.dir.path()) == Names{"copy.db", "x.db", report.kept.filename().string()});
  CHECK(report.kept.filename().string().starts_with("x.db.2"));
  CHECK(report.kept.extension() == ".replaced");
  CHECK(read_file(report.kept) == before);
  CHECK(it.rows(report.kept) == 3);
}

TEST_CASE("restore: the log of the database that is replaced goes with it, and does not meet the backup") {
  const Restorable it;
  it.leave_log();
  const RestoreReport report = it.restore_copy();
  const std::string kept = report.kept.filename().string();
  CHECK(names_in(it.dir.path()) == Names{"copy.db", "x.db", kept, kept + "-wal"});
  CHECK(it.rows(it.dir / "x.db") == 2);
  CHECK(it.rows(report.kept) == 4);
}

TEST_CASE(
    "restore: where there is no database the backup becomes one, and left-overs of an older one are out of its way") {
  const Restorable it;
  const RestoreReport fresh = restore(it.dir / "copy.db", it.dir / "new.db");
  CHECK(fresh.kept.empty());
  CHECK(it.rows(it.dir / "new.db") == 2);
  write_file(it.dir / "other.db-wal", "of a database that is gone");
  write_file(it.dir / "other.db-journal", "as well");
  write_file(it.dir / "other.db-shm", "as well");
  CHECK(restore(it.dir / "copy.db", it.dir / "other.db").kept.empty());
  CHECK(it.rows(it.dir / "other.db") == 2);
  int kept = 0;
  for (const std::string& name : names_in(it.dir.path())) kept += name.find("replaced-") != std::string::npos ? 1 : 0;
  CHECK(kept == 2);
}

TEST_CASE("restore: a damaged database is replaced, too, and kept byte for byte") {
  const Restorable it;
  std::string damaged = read_file(it.dir / "x.db");
  damaged.replace(0, 100, std::string(100, 'x'));
  write_file(it.dir / "x.db", damaged);
  const RestoreReport report = it.restore_copy();
  CHECK(it.rows(it.dir / "x.db") == 2);
  CHECK(read_file(report.kept) == damaged);
}

TEST_CASE("restore: a backup that is damaged, empty, no database, gone or in use changes nothing") {
  const Restorable it;
  const std::string good = read_file(it.dir / "copy.db");
  const auto code = [&](const fs::path& from) { return code_of([&] { restore(from, it.dir / "x.db"); }); };
  CHECK(code(it.dir / "gone.db") == boost::system::errc::no_such_file_or_directory);
  CHECK(code(it.dir / "x.db") == errc::file_in_use);
  write_file(it.dir / "copy.db-wal", "left");
  CHECK(code(it.dir / "copy.db") == boost::system::errc::file_exists);
  fs::remove(it.dir / "copy.db-wal");
  for (const std::string& bad : {std::string(), std::string("SELECT 1; -- a script, it seems"), good.substr(0, 4096),
                                 good.substr(0, 4096) + std::string(good.size() - 4096, 'x')}) {
    write_file(it.dir / "copy.db", bad);
    CAPTURE(bad.size());
    const Error error = error_of([&] { it.restore_copy(); });
    CHECK((error.code() == make_sqlite_error(SQLITE_NOTADB) || error.code() == make_sqlite_error(SQLITE_CORRUPT)));
    CHECK(std::string(error.what()).find("copy.db") != std::string::npos);
    it.check_untouched();
  }
  const TempDir special;
  for (const std::string& name : make_special_files(special.path())) {
    CAPTURE(name);
    CHECK(code(special / name) == errc::not_a_regular_file);
    write_file(it.dir / "copy.db", good);
    CHECK(code_of([&] { restore(it.dir / "copy.db", special / name); }) == errc::not_a_regular_file);
  }
  it.check_untouched();
}

TEST_CASE("restore: what its progress throws ends it, and nothing has happened") {
  const Restorable it;
  const auto stop = [](std::int64_t, std::int64_t) { throw std::runtime_error("enough"); };
  CHECK_THROWS_AS(restore(it.dir / "copy.db", it.dir / "x.db", {.on_progress = stop}), std::runtime_error);
  it.check_untouched();
}

TEST_CASE(
    "restore: refuses a database that another process has open, idle or in a transaction, in either journal mode") {
  const Restorable it;
  const bool wal = GENERATE(true, false);
  if (!wal) PlainDatabase(it.dir / "x.db").execute("PRAGMA journal_mode = DELETE");
  const Pipe opened;
  Neighbour other([&] {
    const PlainDatabase database(it.dir / "x.db");
    if (!wal) database.execute("BEGIN");
    static_cast<void>(database.scalar("SELECT count(*) FROM t"));
    opened.tell();
    ::pause();
  });
  opened.wait();
  CHECK(code_of([&] { it.restore_copy(); }) == errc::file_in_use);
  CHECK(other.kill());
  for (const auto& name : names_in(it.dir.path())) CHECK(name.find("replaced") == std::string::npos);
  CHECK_NOTHROW(it.restore_copy());
  CHECK(it.rows(it.dir / "x.db") == 2);
}

TEST_CASE("restore: what takes the database's place meanwhile is not replaced, and nothing is left of the attempt") {
  const Restorable it;
  const auto in_between = [&](std::int64_t, std::int64_t) {
    fs::rename(it.dir / "x.db", it.dir / "old.db");
    ::mkfifo((it.dir / "x.db").c_str(), 0600);
    write_file(it.dir / "x.db-wal", "of that");
  };
  CHECK(code_of([&] { restore(it.dir / "copy.db", it.dir / "x.db", {.on_progress = in_between}); }) ==
        errc::not_a_regular_file);
  CHECK(names_in(it.dir.path()) == Names{"copy.db", "old.db", "x.db", "x.db-wal"});
  CHECK(fs::is_fifo(it.dir / "x.db"));
  CHECK(read_file(it.dir / "x.db-wal") == "of that");
}

// restore            neighbour
// locks, copies
//                    opens the old file, waits for the lock
// replaces, unlocks
//                    has the old file, and the new one's log by name
TEST_CASE("restore: who opens the database meanwhile is told that it was replaced, and writes nothing") {
  const Restorable it;
  const Pipe locked;
  static const Pipe opened;
  Neighbour late([&] {
    locked.wait();
    // SQLite calls it when it has opened the file, before it has read of it.
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(+[](sqlite3*, char**, const sqlite3_api_routines*) {
      opened.tell();
      return SQLITE_OK;
    }));
    ConnectionOptions patient;
    patient.busy_timeout = std::chrono::hours(1);
    const auto write = [&] { Connection(it.dir / "x.db", patient).execute("CREATE TABLE lost(x)"); };
    ::_exit(code_of(write) == errc::file_replaced ? 0 : 1);
  });
  const auto in_between = [&](std::int64_t, std::int64_t) {
    locked.tell();
    opened.wait();
  };
  restore(it.dir / "copy.db", it.dir / "x.db", {.on_progress = in_between});
  CHECK(late.wait());
  CHECK(it.rows(it.dir / "x.db") == 2);
  CHECK(PlainDatabase(it.dir / "x.db").scalar("SELECT count(*) FROM sqlite_master") == 1);
  CHECK_NOTHROW(Connection{it.dir / "x.db"});
}

TEST_CASE("restore: a database that somebody makes or exchanges meanwhile is not touched, nor its log and index") {
  const Restorable it;
  const bool there = GENERATE(true, false);
  CAPTURE(there);
  const fs::path target = it.dir / (there ? "x.db" : "new.db");
  const auto in_between = [&](std::int64_t, std::int64_t) {
    if (there) fs::rename(target, it.dir / "old.db");
    for (const auto* const suffix : {"", "-wal", "-shm"}) write_file(target.string() + suffix, "of somebody");
  };
  CHECK(code_of([&] { restore(it.dir / "copy.db", target, {.on_progress = in_between}); }) == errc::file_replaced);
  for (const auto* const suffix : {"", "-wal", "-shm"}) CHECK(read_file(target.string() + suffix) == "of somebody");
  CHECK(fs::hard_link_count(target) == 1);
  CHECK(names_in(it.dir.path()).size() == 5);  // copy.db, old.db or x.db, and those three
}

TEST_CASE("restore: a disk that takes a part of the copy is told as one that is full") {
  const Restorable it;
  Neighbour limited([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit most { 5000, 5000 };
    ::setrlimit(RLIMIT_FSIZE, &most);
    errno = ENOENT;
    const auto code = code_of([&] { it.restore_copy(); });
    ::_exit(code == boost::system::errc::file_too_large ? 0 : 1);
  });
  CHECK(limited.wait());
  it.check_untouched();
}

TEST_CASE("restore: with the application's collations, a backup that needs them is checked") {
  const TempDir dir;
  ConnectionOptions options;
  options.on_connect = [](Connection& connection, connection_role) {
    sqlite3_create_collation(connection.native().getHandle(), "own", SQLITE_UTF8, nullptr,
                             [](void*, int a, const void*, int b, const void*) { return a - b; });
  };
  {
    Connection source(dir / "x.db", options);
    source.execute("CREATE TABLE t(x TEXT COLLATE own UNIQUE)");
    source.execute("INSERT INTO t VALUES ('a'), ('bb')");
  }
  CHECK(code_of([&] { restore(dir / "x.db", dir / "y.db"); }) == make_sqlite_error(SQLITE_ERROR_MISSING_COLLSEQ));
  CHECK(names_in(dir.path()) == Names{"x.db"});
  CHECK_NOTHROW(restore(dir / "x.db", dir / "y.db", {.connection = options}));
}

TEST_CASE("restore: refuses a database that this process has open, and takes none of its locks") {
  const Restorable it;
  {
    Connection mine(it.dir / "x.db");
    REQUIRE(mine.query_one<int>("SELECT count(*) FROM t") == 3);
    const auto locks = locks_of_this_process();
    REQUIRE_FALSE(locks.empty());
    CHECK(code_of([&] { it.restore_copy(); }) == errc::file_in_use);
    CHECK(locks_of_this_process() == locks);
  }
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  CHECK(code_of([&] { restore(it.dir / "copy.db", pool.path()); }) == errc::file_in_use);
}

TEST_CASE("restore: refused as another process has the database open as well, it takes none of this one's locks") {
  const Restorable it;
  const bool other_first = GENERATE(true, false);  // the system tells of one of them
  CAPTURE(other_first);
  const Pipe begin;
  const Pipe opened;
  Neighbour other([&] {
    begin.wait();
    Connection theirs(it.dir / "x.db");
    if (theirs.query_one<int>("SELECT count(*) FROM t") == 3) opened.tell();
    ::pause();
  });
  const auto open_there = [&] {
    begin.tell();
    opened.wait();
  };
  if (other_first) open_there();
  std::optional<Connection> mine(it.dir / "x.db");
  REQUIRE(mine->query_one<int>("SELECT count(*) FROM t") == 3);
  if (!other_first) open_there();
  const auto locks = locks_of_this_process();
  REQUIRE_FALSE(locks.empty());
  const auto descriptors = open_descriptors(it.dir.path());
  for (int i = 0; i < 5; ++i) CHECK(code_of([&] { it.restore_copy(); }) == errc::file_in_use);
  CHECK(locks_of_this_process() == locks);
  CHECK(open_descriptors(it.dir.path()) == descriptors + 1);
  CHECK(other.kill());
  CHECK(code_of([&] { it.restore_copy(); }) == errc::file_in_use);
  CHECK(locks_of_this_process() == locks);
  mine.reset();
  CHECK_NOTHROW(it.restore_copy());
  CHECK(it.rows(it.dir / "x.db") == 2);
  CHECK(open_descriptors(it.dir.path()) == 0);
}

TEST_CASE("restore: the copy has owner and mode of what it replaces, and where nothing was the directory's owner") {
  const Restorable it;
  const auto owner = [&](const char* name) {
    struct stat status {};
    REQUIRE(::lstat((it.dir / name).c_str(), &status) == 0);
    return std::pair(status.st_uid, status.st_gid);
  };
  fs::permissions(it.dir / "x.db", fs::perms(0640));
  const bool root = ::geteuid() == 0;  // who else may give a file away
  const std::pair<uid_t, gid_t> service = root ? std::pair<uid_t, gid_t>(4711, 4712) : owner("x.db");
  if (root) REQUIRE(::chown((it.dir / "x.db").c_str(), 4711, 4712) == 0);
  it.restore_copy();
  CHECK(owner("x.db") == service);
  CHECK(mode_of(it.dir / "x.db") == 0640);
  if (root) REQUIRE(::chown(it.dir.path().c_str(), 4711, 4712) == 0);
  restore(it.dir / "copy.db", it.dir / "new.db");
  CHECK(owner("new.db") == service);
  CHECK(mode_of(it.dir / "new.db") == 0600);
  if (root) REQUIRE(::chown(it.dir.path().c_str(), 0, 0) == 0);
}

TEST_CASE("restore: what killed ones have left of this database is removed, and nothing else") {
  const Restorable it;
  const Names others{"copy.db", "other.db.aB3xYz.partial", "x.db", "x.db.aB3xYz", "y.x.db.aB3xYz.partial"};
  for (const std::string& name : others)
    if (!fs::exists(it.dir / name)) write_file(it.dir / name, "of others");
  for (const char* const name : {"x.db.aB3xYz.partial", "x.db.aB3xYz.partial-journal"})
    write_file(it.dir / name, "left");
  RestoreOptions options;  // they take the room that the copy needs
  options.on_progress = [&](std::int64_t, std::int64_t) {
    CHECK_FALSE(fs::exists(it.dir / "x.db.aB3xYz.partial"));
    throw std::runtime_error("enough");
  };
  CHECK_THROWS_AS(restore(it.dir / "copy.db", it.dir / "x.db", options), std::runtime_error);
  CHECK(names_in(it.dir.path()) == others);
}

// Of a database with three rows in its file and a fourth in its log, as a kill leaves it after each step:
//
//     link | rename of -wal | rename of the copy
TEST_CASE(
    "restore: killed at any step, nobody opens half of the database, and the next one ends it and keeps it whole") {
  const Restorable it;
  it.leave_log();
  const fs::path kept = it.dir / "x.db.20250101T000000.000Z.replaced";
  const int steps = GENERATE(1, 2);
  CAPTURE(steps);
  fs::create_hard_link(it.dir / "x.db", kept);
  fs::remove(it.dir / "x.db-shm");
  if (steps == 2) fs::rename(it.dir / "x.db-wal", kept.string() + "-wal");
  CHECK(code_of([&] { Connection{it.dir / "x.db"}; }) == errc::hard_linked);
  // Neither name has all of it.
  CHECK(code_of([&] { restore(it.dir / "x.db", it.dir / "y.db"); }) != boost::system::error_code());
  CHECK(code_of([&] { restore(kept, it.dir / "y.db"); }) != boost::system::error_code());
  CHECK_FALSE(fs::exists(it.dir / "y.db"));
  SECTION("run again") {
    CHECK(it.restore_copy().kept == kept);
    CHECK(names_in(it.dir.path()) ==
          Names{"copy.db", "x.db", kept.filename().string(), kept.filename().string() + "-wal"});
    CHECK(it.rows(it.dir / "x.db") == 2);
    CHECK(it.rows(kept) == 4);
    CHECK_NOTHROW(Connection{it.dir / "x.db"});
  }
  SECTION("run again in vain: it is as before the first") {
    CHECK(code_of([&] { it.restore_without_copy(); }) == boost::system::errc::no_such_file_or_directory);
    CHECK(names_in(it.dir.path()) == Names{"copy.db", "x.db", "x.db-wal"});
    CHECK(it.rows(it.dir / "x.db") == 4);
  }
}

TEST_CASE("restore: where the last step fails the database has its log again") {
  const Restorable it;
  it.leave_log();
  CHECK(code_of([&] { it.restore_without_copy(); }) == boost::system::errc::no_such_file_or_directory);
  CHECK(names_in(it.dir.path()) == Names{"copy.db", "x.db", "x.db-wal"});
  CHECK(it.rows(it.dir / "x.db") == 4);
}

TEST_CASE("restore: where its log cannot come back the database keeps both names, and is not opened without it") {
  const Restorable it;
  it.leave_log();
  const fs::path kept = it.dir / "x.db.20250101T000000.000Z.replaced";
  fs::create_hard_link(it.dir / "x.db", kept);
  fs::rename(it.dir / "x.db-wal", kept.string() + "-wal");
  write_file(it.dir / "x.db-wal", "of a program that did not look");
  const Error error = error_of([&] { it.restore_copy(); });
  CHECK(error.code() == boost::system::errc::file_exists);
  CHECK(error.message().find("' as well now") != std::string::npos);
  CHECK(code_of([&] { Connection{it.dir / "x.db"}; }) == errc::hard_linked);
  CHECK(read_file(it.dir / "x.db-wal") == "of a program that did not look");
  fs::remove(it.dir / "x.db-wal");
  fs::remove(it.dir / "x.db");
  CHECK(it.rows(kept) == 4);
}
