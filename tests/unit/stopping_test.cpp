#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <atomic>
#include <boost/asio/error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "database_file.hpp"
#include "error_of.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "process_files.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using namespace std::chrono_literals;
using detail::Interrupter;
using detail::stop_reason;
using test::code_of;
using test::contains;
using test::error_of;
using test::session;

namespace {

constexpr auto endless_query =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE started()";

struct Stopping : test::WrittenFile {
  Interrupter& interrupter() { return session().interrupter(); }
  testing::ManualClock& clock() { return *fixture.clock; }

  /// Lets SQL call `f` as started(), which is true.
  template <class F>
  void on_start(F& f) {
    sqlite3_create_function(
        session().handle().get(), "started", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, &f,
        [](sqlite3_context* context, int, sqlite3_value**) {
          (*static_cast<F*>(sqlite3_user_data(context)))();
          sqlite3_result_int(context, 1);
        },
        nullptr, nullptr);
  }
};

}  // namespace

TEST_CASE("busy: waits as long as busy_timeout for another program's lock, then says so") {
  Stopping test;
  test::PlainDatabase stranger(test.fixture.path);
  stranger.execute("BEGIN IMMEDIATE");
  for (const bool immediate : {false, true}) {
    const auto start = test.clock().now();
    test.clock().on_read([&](int) { test.clock().advance(100ms); });
    const Error error = error_of([&] {
      if (immediate) {
        session(test.db()).begin(detail::transaction_kind::immediate);
      } else {
        test.db().execute("INSERT INTO t VALUES (1)");
      }
    });
    test.clock().on_read({});
    CHECK(error.code() == condition::busy);
    CHECK(contains(error.what(), "another process holds the lock"));
    CHECK(test.clock().now() - start >= 3000ms);
    CHECK(test.clock().now() - start < 3500ms);
    CHECK_FALSE(session(test.db()).in_transaction());
  }
}

TEST_CASE("busy: the lock is taken as soon as it is free") {
  Stopping test;
  test::PlainDatabase stranger(test.fixture.path);
  stranger.execute("BEGIN IMMEDIATE");
  test.clock().on_read([&](int reading) {
    if (reading == 5) stranger.execute("COMMIT");
  });
  CHECK(test.db().execute("INSERT INTO t VALUES (1)").changes == 1);
}

TEST_CASE("busy: each wait has the whole busy_timeout") {
  Stopping test;
  test::PlainDatabase stranger(test.fixture.path);
  for (int round = 0; round < 3; ++round) {
    stranger.execute("BEGIN IMMEDIATE");
    test.clock().on_read([&](int reading) {
      test.clock().advance(500ms);
      if (reading == 5) stranger.execute("COMMIT");
    });
    CHECK(test.db().execute("INSERT INTO t VALUES (1)").changes == 1);
  }
}

TEST_CASE("busy: a busy_timeout of zero does not wait") {
  test::DatabaseFile file;
  test::Fixture& fixture = file.fixture;
  fixture.options.busy_timeout = 0ms;
  Connection db = fixture.open();
  db.execute("CREATE TABLE t(a)");
  test::PlainDatabase stranger(fixture.path);
  stranger.execute("BEGIN IMMEDIATE");
  // The clock stands still: any wait would not end.
  CHECK(code_of([&] { db.execute("INSERT INTO t VALUES (1)"); }) == condition::busy);
}

TEST_CASE("busy: a stop ends the wait at once, with the reason of the stop") {
  Stopping test;
  test::PlainDatabase stranger(test.fixture.path);
  stranger.execute("BEGIN IMMEDIATE");
  const std::vector<std::pair<stop_reason, boost::system::error_code>> reasons{
      {stop_reason::cancelled, boost::asio::error::operation_aborted},
      {stop_reason::deadline, errc::deadline_exceeded},
      {stop_reason::shutdown, errc::closed}};
  for (const auto& [reason, code] : reasons) {
    test.interrupter().disarm();
    test.clock().on_read([&](int reading) {
      if (reading == 5) test.interrupter().request(reason);
    });
    CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (1)"); }) == code);
    test.interrupter().disarm();
    test.clock().on_read([&](int reading) {
      if (reading == 5) test.interrupter().request(reason);
    });
    CHECK(code_of([&] { session(test.db()).begin(detail::transaction_kind::immediate); }) == code);
  }
}

TEST_CASE("busy: the deadline of the job ends the wait before busy_timeout does") {
  Stopping test;
  test::PlainDatabase stranger(test.fixture.path);
  stranger.execute("BEGIN IMMEDIATE");
  const auto start = test.clock().now();
  test.interrupter().arm(start + 200ms);
  test.clock().on_read([&](int) { test.clock().advance(10ms); });
  CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (1)"); }) == errc::deadline_exceeded);
  test.clock().on_read({});
  CHECK(test.clock().now() - start <= 300ms);
}

// Where the file is still in rollback mode, SQLite asks the busy handler about an EXCLUSIVE lock, but not about a
// RESERVED one when it switches to WAL.
TEST_CASE("busy: opening waits for another program that writes to a file without WAL") {
  testing::TempDir directory;
  test::Fixture fixture{.path = directory / "a.db"};
  test::PlainDatabase stranger(fixture.path);
  stranger.execute("CREATE TABLE t(a)");
  stranger.execute(GENERATE("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"));
  fixture.clock->on_read([&](int reading) {
    if (reading == 20) stranger.execute("COMMIT");
  });
  Connection db = fixture.open();
  CHECK(db.query_one<std::string>("PRAGMA journal_mode") == "wal");
}

TEST_CASE("busy: opening gives up after busy_timeout, stops when told to, and leaves nothing open") {
  testing::TempDir directory;
  test::Fixture fixture{.path = directory / "a.db"};
  std::optional<test::PlainDatabase> stranger(std::in_place, fixture.path);
  stranger->execute("CREATE TABLE t(a)");
  stranger->execute(GENERATE("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"));
  const auto start = fixture.clock->now();
  fixture.clock->on_read([&](int) { fixture.clock->advance(100ms); });
  CHECK(code_of([&] { Connection db = fixture.open(); }) == condition::busy);
  fixture.clock->on_read({});
  CHECK(fixture.clock->now() - start >= 3000ms);
  CHECK(fixture.clock->now() - start < 10'000ms);

  auto config = fixture.config();
  fixture.clock->on_read([&](int reading) {
    if (reading == 20) config.context.interrupter->request(stop_reason::shutdown);
  });
  CHECK(code_of([&] { Connection db = test::open(config); }) == errc::closed);
  stranger.reset();  // SQLite keeps a closed connection's descriptor for as long as another one has a lock
  CHECK(test::open_descriptors(fixture.path) == 0);
}

// worker                                   test
// ------------------------------------     ------------------------------
// step: endless_query recursion, started()
//                                          request(reason)
// Error of the reason
TEST_CASE("interrupt: a running statement is stopped from another thread") {
  Stopping test;
  for (const auto& [reason, code] : std::vector<std::pair<stop_reason, boost::system::error_code>>{
           {stop_reason::cancelled, boost::asio::error::operation_aborted}, {stop_reason::shutdown, errc::closed}}) {
    std::latch running(1);
    std::atomic<bool> counted = false;
    auto started = [&] {
      if (!counted.exchange(true)) running.count_down();
    };
    test.on_start(started);
    test.interrupter().disarm();
    boost::system::error_code result;
    std::thread worker([&] {
      try {
        test.db().query_all<std::int64_t>(endless_query);
      } catch (const Error& error) {
        result = error.code();
      }
    });
    running.wait();
    test.interrupter().request(reason);
    worker.join();
    CHECK(result == code);
  }
  test.interrupter().disarm();
  CHECK(test.db().execute("INSERT INTO t VALUES (1)").changes == 1);
}

// The interrupt alone is not enough: SQLite forgets one that comes while no statement runs.
TEST_CASE("interrupt: a request before the first step is not lost, at whichever moment it comes") {
  Stopping test;
  const boost::system::error_code aborted = boost::asio::error::operation_aborted;
  test.interrupter().disarm();
  test.interrupter().request(stop_reason::cancelled);
  CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (1)"); }) == aborted);
  CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (1)"); }) == aborted);
  CHECK(code_of([&] { test.db().execute_script("INSERT INTO t VALUES (1)"); }) == aborted);
  CHECK(code_of([&] { session(test.db()).begin(detail::transaction_kind::immediate); }) == aborted);
  CHECK(code_of([&] { session(test.db()).begin(detail::transaction_kind::deferred); }) == aborted);

  test.interrupter().disarm();
  const auto statement = session(test.db()).prepare("INSERT INTO t VALUES (1)");
  test.interrupter().request(stop_reason::cancelled);
  CHECK(code_of([&] { statement->step(); }) == aborted);
  test.interrupter().disarm();
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE("interrupt: a request between two rows stops the statement within a thousand steps") {
  Stopping test;
  test.interrupter().disarm();
  const auto statement =
      session(test.db()).prepare("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n");
  REQUIRE(statement->step());
  test.interrupter().request(stop_reason::cancelled);
  CHECK(code_of([&] {
          for (int i = 0; i < 1000; ++i) statement->step();
        }) == boost::asio::error::operation_aborted);
}

TEST_CASE("interrupt: a late request does not hit the next job") {
  Stopping test;
  test.interrupter().arm(Clock::time_point::max());
  test.db().execute("INSERT INTO t VALUES (1)");
  test.interrupter().request(stop_reason::cancelled);  // the job has ended already
  test.interrupter().arm(Clock::time_point::max());
  CHECK(test.db().execute("INSERT INTO t VALUES (2)").changes == 1);
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 2);
  CHECK_NOTHROW(session(test.db()).begin(detail::transaction_kind::immediate));
  CHECK(session(test.db()).rollback());
}

TEST_CASE("interrupt: a deadline of one job does not hit the next") {
  Stopping test;
  test.interrupter().arm(test.clock().now() + 10ms);
  test.clock().advance(20ms);
  CHECK(test.interrupter().reason() == stop_reason::deadline);
  CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (1)"); }) == errc::deadline_exceeded);
  test.interrupter().arm(test.clock().now() + 10ms);
  CHECK(test.db().execute("INSERT INTO t VALUES (1)").changes == 1);
  test.interrupter().disarm();
  test.clock().advance(1h);
  CHECK(test.db().execute("INSERT INTO t VALUES (1)").changes == 1);
}

TEST_CASE("interrupt: a deadline stops a running statement") {
  Stopping test;
  test.interrupter().arm(test.clock().now() + 1s);
  auto started = [&] { test.clock().advance(1ms); };
  test.on_start(started);
  const auto start = test.clock().now();
  CHECK(code_of([&] { test.db().query_all<std::int64_t>(endless_query); }) == errc::deadline_exceeded);
  CHECK(test.clock().now() - start >= 1s);
  CHECK(test.clock().now() - start < 2s);
}

TEST_CASE("interrupt: the first reason is the one that is told") {
  Stopping test;
  test.interrupter().request(stop_reason::cancelled);
  test.interrupter().request(stop_reason::shutdown);
  CHECK(test.interrupter().reason() == stop_reason::cancelled);
  test.interrupter().disarm();
  test.interrupter().arm(test.clock().now() - 1s);
  CHECK(test.interrupter().reason() == stop_reason::deadline);
  test.interrupter().request(stop_reason::shutdown);
  CHECK(test.interrupter().reason() == stop_reason::shutdown);
}

TEST_CASE("interrupt: a request for one job does not reach the next, one for shutdown reaches all until the last") {
  Stopping test;
  const int first = 0;
  const int second = 0;
  test.interrupter().arm(Clock::time_point::max(), &first);
  test.interrupter().request(stop_reason::cancelled, &second);
  CHECK(test.interrupter().reason() == stop_reason::none);
  test.interrupter().request(stop_reason::cancelled, &first);
  CHECK(test.interrupter().reason() == stop_reason::cancelled);
  test.interrupter().request(stop_reason::shutdown);
  test.interrupter().arm(Clock::time_point::max(), &second);
  CHECK(test.interrupter().reason() == stop_reason::shutdown);
  session(test.db()).optimize(1s);
  CHECK(test.interrupter().reason() == stop_reason::shutdown);
  test.interrupter().disarm();
  test.interrupter().arm(Clock::time_point::max(), &second);
  CHECK(test.interrupter().reason() == stop_reason::none);
}

TEST_CASE("interrupt: a limit ends with its scope, and one that cannot be set leaves no deadline behind") {
  struct FullClock final : Clock {
    time_point now() const noexcept override { return time; }
    std::unique_ptr<Timer> make_timer(std::function<void()>) override { throw std::runtime_error("no thread"); }
    time_point time{};
  };
  const auto full = std::make_shared<FullClock>();
  const auto clock = std::make_shared<testing::ManualClock>();
  const auto broken = std::make_shared<detail::Interrupter>(full);
  CHECK_THROWS_AS(detail::Interrupter::Limit(broken, full->now() + 1s), std::runtime_error);
  full->time += 2s;
  CHECK(broken->reason() == stop_reason::none);

  const auto interrupter = std::make_shared<detail::Interrupter>(clock);
  {
    const detail::Interrupter::Limit limit(interrupter, clock->now() + 1s);
    clock->advance(2s);
    CHECK(interrupter->reason() == stop_reason::deadline);
  }
  CHECK(interrupter->reason() == stop_reason::none);
  CHECK(clock->armed() == 0);
}

TEST_CASE("interrupt: a stopped write leaves nothing behind, and the connection works on") {
  Stopping test;
  auto started = [&] { test.interrupter().request(stop_reason::cancelled); };
  test.on_start(started);
  const std::string insert = std::string("INSERT INTO t ") + endless_query;
  CHECK(code_of([&] { test.db().execute(insert); }) == boost::asio::error::operation_aborted);
  test.interrupter().disarm();
  CHECK_FALSE(session(test.db()).in_transaction());
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE("interrupt: what has committed is reported as done, however close the request came") {
  // The request comes from within the commit. SQLite asks the progress handler every 1,000 steps, for some of these
  // executions therefore right after their commit.
  Stopping test;
  sqlite3_commit_hook(
      session(test.db()).handle().get(),
      [](void* interrupter) {
        static_cast<Interrupter*>(interrupter)->request(stop_reason::cancelled);
        return 0;
      },
      &test.interrupter());
  for (int i = 1; i <= 1000; ++i) {
    test.interrupter().disarm();
    REQUIRE_NOTHROW(test.db().execute("INSERT INTO t VALUES (?)", i));
  }
  test.interrupter().disarm();
  sqlite3_commit_hook(session(test.db()).handle().get(), nullptr, nullptr);
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 1000);
}

TEST_CASE("interrupt: requests from another thread at any moment stop this job or none") {
  // worker: arm, run, disarm, 2,000 times       other: request, all the time
  // Each job either succeeds or ends with operation_aborted; after the last disarm nothing is left of any request.
  Stopping test;
  constexpr int jobs = 2000;
  int done = 0;
  int stopped = 0;
  std::atomic<bool> over = false;
  std::thread other([&] {
    while (!over) test.interrupter().request(stop_reason::cancelled);
  });
  for (int i = 0; i < jobs; ++i) {
    test.interrupter().arm(Clock::time_point::max());
    try {
      test.db().execute("INSERT INTO t VALUES (?)", i);
      ++done;
    } catch (const Error& error) {
      if (error.code() == boost::asio::error::operation_aborted) ++stopped;
    }
  }
  over = true;
  other.join();
  test.interrupter().disarm();
  CHECK(done + stopped == jobs);
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == done);
}

TEST_CASE("shield: hides every reason, nests, and what came meanwhile counts afterwards") {
  Stopping test;
  Interrupter& interrupter = test.interrupter();
  interrupter.arm(test.clock().now() - 1s);
  CHECK(interrupter.must_stop());
  {
    Interrupter::Shield outer(interrupter);
    CHECK_FALSE(interrupter.must_stop());
    {
      Interrupter::Shield inner(interrupter);
      interrupter.request(stop_reason::cancelled);
      CHECK_FALSE(interrupter.must_stop());
    }
    CHECK(interrupter.reason() == stop_reason::none);
    CHECK(test.db().execute("INSERT INTO t VALUES (1)").changes == 1);
  }
  CHECK(interrupter.reason() == stop_reason::cancelled);
  CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (2)"); }) == boost::asio::error::operation_aborted);
}

TEST_CASE("shield: a running statement is not interrupted either") {
  Stopping test;
  auto started = [&] { test.interrupter().request(stop_reason::cancelled); };
  test.on_start(started);
  Interrupter::Shield shield(test.interrupter());
  CHECK(test.db().query_one<std::int64_t>("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) "
                                          "SELECT count(*) FROM n WHERE started()") == 5000);
}

TEST_CASE("commit: a request before or during it does not undo what was asked to be kept") {
  Stopping test;
  SECTION("before") {
    session(test.db()).begin(detail::transaction_kind::immediate);
    test.db().execute("INSERT INTO t VALUES (1)");
    test.interrupter().request(stop_reason::cancelled);
    CHECK_NOTHROW(session(test.db()).commit());
  }
  SECTION("within") {
    sqlite3_commit_hook(
        session(test.db()).handle().get(),
        [](void* interrupter) {
          static_cast<Interrupter*>(interrupter)->request(stop_reason::cancelled);
          return 0;
        },
        &test.interrupter());
    session(test.db()).begin(detail::transaction_kind::immediate);
    test.db().execute("INSERT INTO t VALUES (1)");
    CHECK_NOTHROW(session(test.db()).commit());
    sqlite3_commit_hook(session(test.db()).handle().get(), nullptr, nullptr);
  }
  CHECK_FALSE(session(test.db()).in_transaction());
  test.interrupter().disarm();
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("commit: waits for a lock to its end, whatever is requested meanwhile") {
  // A second file without WAL is the one place where COMMIT itself has to wait for others.
  Stopping test;
  const auto other = test.directory / "other.db";
  test::PlainDatabase stranger(other);
  stranger.execute("CREATE TABLE u(a)");
  {
    detail::PermissionScope scope(session(test.db()), detail::permission::maintenance);
    test.db().execute("ATTACH ? AS other", other.string());
  }
  stranger.execute("BEGIN; SELECT * FROM u");  // a SHARED lock
  session(test.db()).begin(detail::transaction_kind::deferred);
  test.db().execute("INSERT INTO u VALUES (1)");
  test.clock().on_read([&](int reading) {
    if (reading == 3) test.interrupter().request(stop_reason::cancelled);
    if (reading == 6) stranger.execute("COMMIT");
  });
  CHECK_NOTHROW(session(test.db()).commit());
  test.clock().on_read({});
  test.interrupter().disarm();
  CHECK(test.db().query_one<int>("SELECT count(*) FROM u") == 1);
}

TEST_CASE("commit: when it fails, the transaction is rolled back and the error is that of the commit") {
  Stopping test;
  test.db().execute_script(
      "CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(a REFERENCES p(a) DEFERRABLE INITIALLY DEFERRED)");
  session(test.db()).begin(detail::transaction_kind::immediate);
  test.db().execute("INSERT INTO c VALUES (1)");
  CHECK(code_of([&] { session(test.db()).commit(); }) == make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
  CHECK_FALSE(session(test.db()).in_transaction());
  CHECK(test.db().query_one<int>("SELECT count(*) FROM c") == 0);
}

TEST_CASE("rollback: is done whatever is requested") {
  Stopping test;
  session(test.db()).begin(detail::transaction_kind::immediate);
  test.db().execute("INSERT INTO t VALUES (1)");
  test.interrupter().request(stop_reason::shutdown);
  CHECK(session(test.db()).rollback());
  CHECK_FALSE(session(test.db()).in_transaction());
  CHECK(session(test.db()).rollback());  // nothing to do
  test.interrupter().disarm();
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE(
    "transactions: when SQLite has rolled back by itself, later statements are refused instead of being kept one by "
    "one") {
  Stopping test;
  test.db().execute("CREATE TABLE u(a UNIQUE)");
  test.db().execute("INSERT INTO u VALUES (1)");
  detail::Session& session = test::session(test.db());
  session.begin(detail::transaction_kind::immediate);
  test.db().execute("INSERT INTO t VALUES (1)");
  // The closure catches what it was told and goes on.
  CHECK(code_of([&] { test.db().execute("INSERT OR ROLLBACK INTO u VALUES (1)"); }) == condition::unique);
  REQUIRE_FALSE(session.in_transaction());
  for (int round = 0; round < 2; ++round) {
    CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (2)"); }) == errc::transaction_rolled_back);
    CHECK(code_of([&] { test.db().execute_script("INSERT INTO t VALUES (3)"); }) == errc::transaction_rolled_back);
    CHECK(code_of([&] { test.db().query_all<int>("SELECT count(*) FROM t"); }) == errc::transaction_rolled_back);
    CHECK(code_of([&] { test.db().savepoint([] {}); }) == errc::transaction_rolled_back);
  }
  const int ending = GENERATE(0, 1, 2);
  if (ending == 0) CHECK(code_of([&] { session.commit(); }) == errc::transaction_rolled_back);
  if (ending == 1) CHECK(session.rollback());
  if (ending == 2) session.clean();
  session.clean();
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 0);
  CHECK(test.db().execute("INSERT INTO t VALUES (4)").changes == 1);
}

TEST_CASE("transactions: after commit and rollback single statements are their own transactions again") {
  Stopping test;
  detail::Session& session = test::session(test.db());
  session.begin(detail::transaction_kind::immediate);
  test.db().execute("INSERT INTO t VALUES (1)");
  session.commit();
  test.db().execute("INSERT INTO t VALUES (2)");
  session.begin(detail::transaction_kind::deferred);
  CHECK(session.rollback());
  test.db().execute("INSERT INTO t VALUES (3)");
  CHECK(test.db().query_one<int>("SELECT count(*) FROM t") == 3);
  CHECK(code_of([&] { session.commit(); }) == errc::transaction_rolled_back);
}

TEST_CASE("native: a busy timeout set behind our back does not outlive the job") {
  Stopping test;
  sqlite3_busy_timeout(test.db().native().getHandle(), 60'000);
  sqlite3_progress_handler(test.db().native().getHandle(), 0, nullptr, nullptr);
  session(test.db()).clean();
  test::PlainDatabase stranger(test.fixture.path);
  stranger.execute("BEGIN IMMEDIATE");
  test.clock().on_read([&](int reading) {
    if (reading == 5) test.interrupter().request(stop_reason::cancelled);
  });
  CHECK(code_of([&] { test.db().execute("INSERT INTO t VALUES (1)"); }) == boost::asio::error::operation_aborted);
  stranger.execute("COMMIT");
  test.interrupter().disarm();
  test.interrupter().arm(test.clock().now() + 1s);
  auto started = [&] { test.clock().advance(1ms); };
  test.on_start(started);
  CHECK(code_of([&] { test.db().query_all<std::int64_t>(endless_query); }) == errc::deadline_exceeded);
}
