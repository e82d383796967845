// Stops inside of what extends SQLite: told as the stop they were, and nothing of them is in the way of what follows.

#include <SQLiteCpp/Database.h>

#include <boost/asio/error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <string>

#include "database_file.hpp"
#include "error_of.hpp"
#include "leaving_table.hpp"
#include "plain_database.hpp"

using namespace statehouse;
using namespace std::chrono_literals;
using detail::stop_reason;
using test::code_of;
using test::error_of;

namespace {

constexpr const char* reading = "SELECT count(*) FROM leaving";
constexpr const char* writing = "INSERT INTO leaving VALUES (1)";
const boost::system::error_code aborted = boost::asio::error::operation_aborted;

struct StoppedExtension : test::WrittenFile {
  test::LeavingTable table;

  StoppedExtension() { table.install(session().handle().get()); }
  ~StoppedExtension() { connection.reset(); }  // before the table

  detail::Interrupter& interrupter() { return session().interrupter(); }
  int request(stop_reason reason, int result) {
    interrupter().request(reason);
    return result;
  }
  /// What is asked of the table is cancelled in the middle.
  void stop_all() {
    table.on_query = table.on_write = [this] { return request(stop_reason::cancelled, SQLITE_INTERRUPT); };
  }
  int rows() { return db().query_one<int>("SELECT count(*) FROM t"); }
};

}  // namespace

TEST_CASE_METHOD(StoppedExtension, "stops: in a virtual table's constructor each is told as the stop it was") {
  struct Case {
    stop_reason reason;
    boost::system::error_code code;
  };
  const Case stop = GENERATE(Case{stop_reason::cancelled, aborted}, Case{stop_reason::shutdown, errc::closed},
                             Case{stop_reason::deadline, errc::deadline_exceeded});
  const char* const sql = GENERATE("SELECT count(*) FROM leaving", "INSERT INTO t SELECT a FROM leaving",
                                   "CREATE VIEW v AS SELECT 1; SELECT * FROM leaving");
  table.on_construction = [&] {
    if (stop.reason != stop_reason::deadline) return request(stop.reason, SQLITE_ERROR);
    fixture.clock->advance(2s);
    return SQLITE_ERROR;
  };
  interrupter().arm(fixture.clock->now() + 1s);
  CHECK(code_of([&] { db().execute_script(sql); }) == stop.code);
  interrupter().arm(Clock::time_point::max());
  interrupter().disarm();
  table.on_construction = [] { return SQLITE_OK; };
  CHECK(db().query_one<int>(reading) == 0);
  CHECK(session().clean() == detail::hygiene::clean);
}

TEST_CASE_METHOD(StoppedExtension, "stops: whatever an extension makes of one, but what is certain is told as it is") {
  int result = SQLITE_OK;
  table.on_query = [&] { return request(stop_reason::cancelled, result); };
  for (const int made_of_it : {SQLITE_INTERRUPT, SQLITE_ERROR, SQLITE_ABORT, SQLITE_BUSY, SQLITE_CORRUPT_VTAB}) {
    CAPTURE(result = made_of_it);
    CHECK(code_of([&] { db().query_one<int>(reading); }) == aborted);
    session().clean();
    interrupter().disarm();
  }
  for (const int certain : {SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR_READ, SQLITE_CONSTRAINT_VTAB, SQLITE_NOTADB}) {
    CAPTURE(result = certain);
    CHECK(code_of([&] { db().query_one<int>(reading); }) == make_sqlite_error(certain));
    session().clean();
    interrupter().disarm();
  }
  table.on_query = [] { return SQLITE_CORRUPT_VTAB; };  // nobody stops it
  CHECK(code_of([&] { db().query_one<int>(reading); }) == make_sqlite_error(SQLITE_CORRUPT_VTAB));
}

TEST_CASE_METHOD(StoppedExtension, "stops: ROLLBACK succeeds though a statement was left active") {
  stop_all();
  session().begin(detail::transaction_kind::immediate);
  db().execute("INSERT INTO t VALUES (1)");
  CHECK(code_of([&] { db().query_one<int>(reading); }) == aborted);
  SECTION("the transaction's") {
    CHECK(session().rollback());
  }
  SECTION("that of cleaning") {
    CHECK(session().clean() == detail::hygiene::rolled_back);
  }
  CHECK_FALSE(session().in_transaction());
  CHECK(fixture.log.count("ROLLBACK failed") == 0);
  interrupter().disarm();
  CHECK(rows() == 0);
  CHECK(db().execute("INSERT INTO t VALUES (2)").changes == 1);
}

TEST_CASE_METHOD(StoppedExtension, "stops: cleaning succeeds though a user has left a blob's handle open") {
  stop_all();
  session().begin(detail::transaction_kind::immediate);
  sqlite3_blob* left = nullptr;
  sqlite3* const handle = db().native().getHandle();
  REQUIRE(sqlite3_blob_open(handle, "main", "sqlite_schema", "sql", 1, 0, &left) == SQLITE_OK);
  CHECK(code_of([&] { db().query_one<int>(reading); }) == aborted);
  CHECK(session().clean() == detail::hygiene::rolled_back);
  sqlite3_blob_close(left);
  interrupter().disarm();
  CHECK(db().execute("INSERT INTO t VALUES (2)").changes == 1);
}

TEST_CASE_METHOD(StoppedExtension, "stops: COMMIT keeps what was done before a query that was stopped") {
  stop_all();
  session().begin(detail::transaction_kind::immediate);
  db().execute("INSERT INTO t VALUES (1)");
  CHECK(code_of([&] { db().query_one<int>(reading); }) == aborted);
  CHECK_NOTHROW(session().commit());
  interrupter().disarm();
  CHECK(rows() == 1);
}

TEST_CASE_METHOD(StoppedExtension, "stops: a savepoint in which a statement was left active is rolled back alone") {
  stop_all();
  session().begin(detail::transaction_kind::immediate);
  db().execute("INSERT INTO t VALUES (1)");
  CHECK(code_of([&] {
          db().savepoint([&] {
            db().execute("INSERT INTO t VALUES (2)");
            db().query_one<int>(reading);
          });
        }) == aborted);
  interrupter().disarm();
  CHECK(rows() == 1);
  CHECK_NOTHROW(session().commit());
  CHECK(rows() == 1);
}

TEST_CASE_METHOD(StoppedExtension, "stops: of a write in a transaction, later statements and COMMIT tell the same") {
  stop_all();
  session().begin(detail::transaction_kind::immediate);
  db().execute("INSERT INTO t VALUES (1)");
  CHECK(code_of([&] { db().execute(writing); }) == aborted);
  REQUIRE_FALSE(session().in_transaction());  // SQLite's doing
  CHECK(code_of([&] { db().execute("INSERT INTO t VALUES (2)"); }) == aborted);
  CHECK(code_of([&] { db().execute_script("INSERT INTO t VALUES (2)"); }) == aborted);
  CHECK(code_of([&] { db().savepoint([] {}); }) == aborted);
  CHECK(code_of([&] { session().commit(); }) == aborted);
  session().clean();
  interrupter().disarm();
  CHECK(rows() == 0);
}

TEST_CASE_METHOD(StoppedExtension, "stops: of one statement only, the closure goes on with the next") {
  table.on_query = [&] {
    fixture.clock->advance(2s);  // which interrupts
    return SQLITE_INTERRUPT;
  };
  const bool in_transaction = GENERATE(false, true);
  if (in_transaction) session().begin(detail::transaction_kind::immediate);
  CHECK(code_of([&] { db().query_one<int>({.run_timeout = 1s}, reading); }) == errc::deadline_exceeded);
  CHECK(db().execute("INSERT INTO t VALUES (1)").changes == 1);
  CHECK(db().query_one<int>("SELECT a FROM t ORDER BY a") == 1);  // not prepared before
  CHECK_NOTHROW(db().execute_script("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)"));
  if (in_transaction) session().commit();
  CHECK(rows() == 3);
}

TEST_CASE_METHOD(StoppedExtension, "stops: what they leave active neither keeps a snapshot nor the next user's begin") {
  const bool stopped = GENERATE(true, false);  // or failed by itself
  stop_all();
  if (!stopped) table.on_query = [] { return SQLITE_ERROR; };
  CHECK(code_of([&] { db().query_one<int>(reading); }) == (stopped ? aborted : make_sqlite_error(SQLITE_ERROR)));
  CHECK(session().clean() == detail::hygiene::clean);
  interrupter().disarm();
  test::PlainDatabase(fixture.path).execute("INSERT INTO t VALUES (7)");
  CHECK(rows() == 1);
  CHECK_NOTHROW(session().begin(detail::transaction_kind::immediate));
  CHECK_NOTHROW(session().commit());
}

TEST_CASE_METHOD(StoppedExtension, "stops: what could only be undone in part is never committed") {
  session().begin(detail::transaction_kind::immediate);
  db().execute("INSERT INTO t VALUES (1)");
  sqlite3* const handle = session().handle().get();
  const auto deny = [](void*, int action, const char*, const char*, const char*, const char*) {
    return action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT ? SQLITE_DENY : SQLITE_OK;
  };
  CHECK_THROWS_AS(db().savepoint([&] {
    db().execute("INSERT INTO t VALUES (2)");
    sqlite3_set_authorizer(handle, deny, nullptr);
    throw std::runtime_error("mine");
  }),
                  std::runtime_error);
  CHECK(session().in_transaction());
  SECTION("as long as ROLLBACK fails") {
    CHECK_THROWS_AS(session().commit(), Error);
  }
  SECTION("when it works again") {
    sqlite3_set_authorizer(handle, nullptr, nullptr);
    CHECK(code_of([&] { session().commit(); }) == errc::transaction_rolled_back);
    CHECK(rows() == 0);
    session().begin(detail::transaction_kind::immediate);
    db().execute("INSERT INTO t VALUES (3)");
    CHECK_NOTHROW(session().commit());
    CHECK(rows() == 1);
  }
  sqlite3_set_authorizer(handle, nullptr, nullptr);
  session().clean();
  CHECK(db().query_one<int>("SELECT count(*) FROM t WHERE a < 3") == 0);
}
