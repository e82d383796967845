#include <sqlite3.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "child_process.hpp"
#include "database_file.hpp"
#include "error_of.hpp"
#include "eventually.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "process_files.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using namespace std::chrono_literals;
using detail::hygiene;
using test::code_of;
using test::contains;
using test::error_of;
using test::session;
using test::WrittenFile;

TEST_CASE("clean: nothing to do after ordinary use") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  CHECK(file.session().clean() == hygiene::clean);
  file.session().begin(detail::transaction_kind::immediate);
  file.session().commit();
  CHECK(file.session().clean() == hygiene::clean);
}

TEST_CASE("clean: an open transaction is rolled back, even when a stop is requested") {
  WrittenFile file;
  file.session().begin(detail::transaction_kind::immediate);
  file.db().execute("INSERT INTO t VALUES (1)");
  file.session().interrupter().request(detail::stop_reason::cancelled);
  CHECK(file.session().clean() == hygiene::rolled_back);
  file.session().interrupter().disarm();
  CHECK(file.db().query_one<int>("SELECT count(*) FROM t") == 0);
  CHECK(file.session().clean() == hygiene::clean);
  // and the lock is free
  test::PlainDatabase(file.fixture.path).execute("INSERT INTO t VALUES (2)");
}

TEST_CASE("clean: a statement left busy through native() no longer pins its snapshot") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1), (2)");
  SQLite::Statement left(file.db().native(), "SELECT a FROM t");
  REQUIRE(left.executeStep());
  test::PlainDatabase stranger(file.fixture.path);
  stranger.execute("INSERT INTO t VALUES (3)");
  CHECK(file.db().query_one<int>("SELECT count(*) FROM t") == 2);  // the old snapshot
  CHECK(file.session().clean() == hygiene::clean);
  CHECK(file.db().query_one<int>("SELECT count(*) FROM t") == 3);
}

TEST_CASE("clean: a transaction with a busy statement in it is rolled back") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1), (2)");
  file.session().begin(detail::transaction_kind::immediate);
  SQLite::Statement left(file.db().native(), "SELECT a FROM t");
  REQUIRE(left.executeStep());
  file.db().execute("DELETE FROM t");
  // What interrupts while a statement is active stays in force until none is.
  file.session().interrupter().request(detail::stop_reason::cancelled);
  CHECK(file.session().clean() == hygiene::rolled_back);
  file.session().interrupter().disarm();
  CHECK(file.db().query_one<int>("SELECT count(*) FROM t") == 2);
}

TEST_CASE("close: the descriptors go, and the last close removes -wal and -shm") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  CHECK(file.exists("-wal"));
  CHECK(file.exists("-shm"));
  CHECK(test::open_descriptors(file.fixture.path) >= 3);
  file.connection.reset();
  CHECK(test::open_descriptors(file.fixture.path) == 0);
  CHECK_FALSE(file.exists("-wal"));
  CHECK_FALSE(file.exists("-shm"));
}

TEST_CASE("close: a request to stop that comes when nothing runs any more leaves no log behind") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  file.session().interrupter().request(detail::stop_reason::shutdown);
  file.connection.reset();
  CHECK_FALSE(file.exists("-wal"));
  CHECK_FALSE(file.exists("-shm"));
  CHECK(Connection(file.fixture.path).query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("close: an open transaction is rolled back") {
  WrittenFile file;
  file.session().begin(detail::transaction_kind::immediate);
  file.db().execute("INSERT INTO t VALUES (1)");
  file.connection.reset();
  CHECK(test::open_descriptors(file.fixture.path) == 0);
  CHECK(Connection(file.fixture.path).query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE("close: statements that somebody left over are finalised, counted and named, and the descriptors go") {
  WrittenFile file;
  const bool busy = GENERATE(false, true);
  file.db().execute("INSERT INTO t VALUES (1)");
  sqlite3* const db = file.db().native().getHandle();
  for (const char* sql : {"SELECT 'left over 1' FROM t", "SELECT 'left over 2' FROM t"}) {
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK);
    if (busy) REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
  }
  file.connection.reset();
  CHECK(test::open_descriptors(file.fixture.path) == 0);
  CHECK_FALSE(file.exists("-wal"));
  CHECK(file.fixture.log.count("still alive at close", spdlog::level::warn) == 2);
  CHECK(file.fixture.log.count("database 'test'", spdlog::level::warn) == 2);
  // The text only for those who ask for details.
  CHECK(file.fixture.log.count("left over 1", spdlog::level::debug) == 1);
  CHECK(file.fixture.log.count("left over", spdlog::level::info) == 0);
}

TEST_CASE("close: says nothing when all is in order") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  file.connection.reset();
  CHECK(file.fixture.log.lines().empty());
}

TEST_CASE("close: afterwards a request to stop reaches nothing") {
  WrittenFile file;
  const auto interrupter = file.session().context().interrupter;
  file.connection.reset();
  interrupter->request(detail::stop_reason::shutdown);
  CHECK(interrupter->must_stop());
}

TEST_CASE("fork: the child leaves the parent's connection alone") {
  WrittenFile file;
  file.session().begin(detail::transaction_kind::immediate);
  file.db().execute("INSERT INTO t VALUES (1)");
  const std::string locks = test::in_child([&]() -> std::string {
    file.connection.reset();
    return test::open_descriptors(file.fixture.path) >= 3 ? "left open" : "closed";
  });
  CHECK(locks == "left open");
  // The parent's lock is still there, and so is its transaction.
  test::PlainDatabase stranger(file.fixture.path);
  CHECK(stranger.try_execute("INSERT INTO t VALUES (2)") == SQLITE_BUSY);
  file.session().commit();
  CHECK(file.db().query_one<int>("SELECT count(*) FROM t") == 1);
  CHECK(file.db().query_one<std::string>("PRAGMA quick_check") == "ok");
}

TEST_CASE("fork: the child does not hang when the parent was just requesting a stop") {
  // parent's other thread                    parent, child
  // -------------------------------------    -----------------------------------------
  // request(): holds the interrupter's mutex
  //                                          fork; the child has the mutex locked for ever
  //                                          child: closes
  WrittenFile file;
  auto interrupter = file.session().context().interrupter;
  std::atomic<bool> over = false;
  std::thread other([&] {
    while (!over) interrupter->request(detail::stop_reason::cancelled);
  });
  int hung = 0;
  for (int round = 0; round < 50 && hung == 0; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::alarm(static_cast<unsigned>(test::patience.count()));
      file.connection.reset();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status)) ++hung;
  }
  over = true;
  other.join();
  CHECK(hung == 0);
}

TEST_CASE("checkpoint: moves the WAL into the database and truncates it") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  CHECK(detail::file_size_or_zero(file.fixture.path.string() + "-wal") > 0);
  file.session().log().checkpoint(true);
  CHECK(file.exists("-wal"));
  CHECK(detail::file_size_or_zero(file.fixture.path.string() + "-wal") == 0);
  CHECK(file.db().query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("checkpoint: waits for nobody who is in the way, but the next statement does again") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  test::PlainDatabase stranger(file.fixture.path);
  stranger.execute("BEGIN; SELECT * FROM t");
  file.db().execute("INSERT INTO t VALUES (2)");
  file.session().log().checkpoint(true);  // the clock stands still: a wait would not end
  CHECK(detail::file_size_or_zero(file.fixture.path.string() + "-wal") > 0);
  stranger.execute("COMMIT; BEGIN IMMEDIATE");
  bool waited = false;
  file.fixture.clock->on_read([&](int reading) {
    if (reading != 3) return;
    waited = true;
    stranger.execute("COMMIT");
  });
  CHECK(file.db().execute("INSERT INTO t VALUES (3)").changes == 1);
  CHECK(waited);
}

TEST_CASE("checkpoint: waits neither for one who reads the end of the log nor for one who writes") {
  const auto* const sql = GENERATE("BEGIN; SELECT * FROM t", "BEGIN IMMEDIATE");
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  test::PlainDatabase stranger(file.fixture.path);
  stranger.execute(sql);
  file.session().log().checkpoint(true);  // the clock stands still: a wait would not end
  CHECK(detail::file_size_or_zero(file.fixture.path.string() + "-wal") > 0);
}

TEST_CASE("checkpoint: a request to stop that comes when nothing runs any more does not hit it") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  file.session().interrupter().request(detail::stop_reason::cancelled);
  const auto moved = file.session().log().checkpoint(true);
  CHECK(moved.failure.empty());
  CHECK(detail::file_size_or_zero(file.fixture.path.string() + "-wal") == 0);
  CHECK(file.fixture.log.lines().empty());
}

TEST_CASE("checkpoint: of a commit that a stop came too late for, it is left to the next one, without a word") {
  WrittenFile file;
  file.session().log().watch();
  file.session().log().checkpoint_from(1);
  const auto stop = [](sqlite3_context* context, int, sqlite3_value**) {
    static_cast<detail::Session*>(sqlite3_user_data(context))->interrupter().request(detail::stop_reason::cancelled);
    sqlite3_result_int(context, 1);
  };
  REQUIRE(sqlite3_create_function_v2(file.session().handle().get(), "stop", 0, SQLITE_UTF8, &file.session(), stop,
                                     nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK(file.db().execute("INSERT INTO t VALUES (stop())").changes == 1);
  CHECK(file.fixture.log.lines().empty());
  file.session().interrupter().disarm();
  CHECK(file.db().query_one<int>("SELECT count(*) FROM t") == 1);
  CHECK(file.session().log().checkpoint(true).failure.empty());
}

TEST_CASE("prepare_close: truncates the WAL while readers are open; the last close leaves no file but the database") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  std::unique_ptr<Connection> reader;
  reader = file.fixture.connect(connection_role::reader);
  CHECK(reader->query_one<int>("SELECT count(*) FROM t") == 1);
  file.session().prepare_close();
  file.session().log().checkpoint(true);
  CHECK(detail::file_size_or_zero(file.fixture.path.string() + "-wal") == 0);
  CHECK(test::prepared_statements(file.session().handle().get()).empty());
  reader.reset();
  file.connection.reset();
  CHECK(std::distance(std::filesystem::directory_iterator(file.directory.path()), {}) == 1);
  CHECK(Connection(file.fixture.path).query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("prepare_close: another program's lock delays nothing") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  test::PlainDatabase stranger(file.fixture.path);
  stranger.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");
  file.session().prepare_close();
  file.session().log().checkpoint(true);
  file.connection.reset();
  stranger.execute("COMMIT");
  CHECK(Connection(file.fixture.path).query_one<int>("SELECT count(*) FROM t") == 2);
}

TEST_CASE("prepare_close: works for an in-memory database") {
  test::Fixture fixture;
  Connection db = fixture.open();
  session(db).prepare_close();
  CHECK(db.query_one<int>("SELECT 1") == 1);
}

namespace {

void fill(Connection& db, int rows) {
  db.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) INSERT INTO big SELECT i, i % 7, i % "
      "11, i % 13 FROM n",
      rows);
}

}  // namespace

TEST_CASE("optimize: brings statistics up to date") {
  WrittenFile file;
  file.db().execute("CREATE TABLE big(a, b, c, d)");
  file.db().execute("CREATE INDEX big_a ON big(a)");
  fill(file.db(), 10);
  file.db().execute("ANALYZE");
  fill(file.db(), 5000);
  file.db().query_all<int>("SELECT b FROM big WHERE a = 1");
  REQUIRE(file.db().query_one<std::string>("SELECT stat FROM sqlite_stat1 WHERE idx = 'big_a'") == "10 1");
  file.session().optimize(10s);
  CHECK(file.db().query_one<std::string>("SELECT stat FROM sqlite_stat1 WHERE idx = 'big_a'") != "10 1");
}

TEST_CASE("optimize: ends with its budget, is logged at debug only, and the connection works on") {
  WrittenFile file;
  file.db().execute("CREATE TABLE big(a, b, c, d)");
  for (const char* column : {"a", "b", "c", "d"})
    file.db().execute("CREATE INDEX big_" + std::string(column) + " ON big(" + column + ")");
  fill(file.db(), 10);
  file.db().execute("ANALYZE");
  fill(file.db(), 20'000);
  file.db().query_all<int>("SELECT b FROM big WHERE a = 1");
  file.fixture.clock->on_read([&](int) { file.fixture.clock->advance(1s); });
  file.session().optimize(500ms);
  CHECK(file.fixture.log.count("PRAGMA optimize", spdlog::level::debug) == 1);
  CHECK(file.fixture.log.count("PRAGMA optimize", spdlog::level::info) == 0);
  CHECK_FALSE(file.session().in_transaction());
  CHECK_FALSE(file.session().interrupter().must_stop());
  CHECK(file.db().execute("INSERT INTO t VALUES (1)").changes == 1);
}

TEST_CASE("close: virtual tables with statements of their own are left to themselves") {
  WrittenFile file;
  file.db().execute("CREATE VIRTUAL TABLE words USING fts5(text)");
  file.db().execute("INSERT INTO words VALUES ('one two'), ('two three')");
  CHECK(file.db().query_one<int>("SELECT count(*) FROM words WHERE words MATCH 'two'") == 2);
  SECTION("alone") {
    file.connection.reset();
    CHECK(file.fixture.log.lines().empty());
  }
  SECTION("beside a statement that somebody left over") {
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(file.db().native().getHandle(), "SELECT * FROM words WHERE words MATCH 'two'", -1,
                               &statement, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    CHECK(file.session().clean() == hygiene::clean);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    file.connection.reset();
    CHECK(file.fixture.log.count("still alive at close", spdlog::level::warn) == 1);
  }
  SECTION("in a transaction that is still open") {
    file.session().begin(detail::transaction_kind::immediate);
    file.db().execute("INSERT INTO words VALUES ('two')");
    file.connection.reset();
    CHECK(file.fixture.log.lines().empty());
  }
  CHECK(test::open_descriptors(file.fixture.path) == 0);
  CHECK_FALSE(file.exists("-wal"));
  CHECK(Connection(file.fixture.path).query_one<int>("SELECT count(*) FROM words WHERE words MATCH 'two'") == 2);
}

TEST_CASE("optimize and prepare_close: harmless with virtual tables") {
  WrittenFile file;
  file.db().execute("CREATE VIRTUAL TABLE words USING fts5(text)");
  file.db().execute("INSERT INTO words VALUES ('one')");
  file.session().prepare_close();
  CHECK(file.db().query_one<int>("SELECT count(*) FROM words") == 1);
}
