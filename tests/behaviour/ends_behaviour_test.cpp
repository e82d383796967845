// What is cancelled or late: what becomes of it, and who hears what; on every engine.

#include <string>
#include <vector>

#include "behaviour.hpp"

namespace statehouse::test {
namespace {

using asio::cancellation_type;

struct Ending : Behaviour {
  Ending() { execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT"); }
  std::vector<int> rows() { return numbers("SELECT a FROM t ORDER BY a"); }
};

TEST_CASE_METHOD(Ending, "cancel: while it waits, any type takes it out, and it has not begun") {
  for (const auto type : {cancellation_type::terminal, cancellation_type::partial, cancellation_type::total}) {
    auto lease = run(pool.acquire(writer));
    auto first = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
    auto cancelled = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
    auto closure = app.spawn(pool.write([](Connection& db) { db.execute("INSERT INTO t VALUES (3)"); }));
    cancelled.cancel(type);
    closure.cancel(type);
    app.settle();
    CHECK(cancelled.code() == stopped);
    CHECK(closure.code() == stopped);
    CHECK(contains(cancelled.text(), "cancelled while waiting"));
    lease.release();
    CHECK(app.finish(first).changes == 1);
    CHECK(rows() == std::vector{1});
    check_all_clean();
    execute("DELETE FROM t");
  }
}

TEST_CASE_METHOD(Ending, "cancel: while a closure runs, terminal stops it at its next statement and undoes it") {
  for (const auto type : {cancellation_type::terminal, cancellation_type::partial, cancellation_type::total}) {
    CAPTURE(static_cast<int>(type));
    std::optional<Task<void>> task;
    task.emplace(app.spawn(pool.write([&](Connection& db) {
      db.execute("INSERT INTO t VALUES (1)");
      task->cancel(type);
      db.execute("INSERT INTO t VALUES (2)");
    })));
    app.settle();
    const bool stops = type == cancellation_type::terminal;
    CHECK(task->code() == (stops ? stopped : boost::system::error_code()));
    CHECK(rows() == (stops ? std::vector<int>{} : std::vector{1, 2}));
    check_all_clean();
    execute("DELETE FROM t");
  }
}

TEST_CASE_METHOD(Ending, "cancel: what is committed has succeeded, however late the cancellation") {
  std::optional<Task<void>> task;
  task.emplace(app.spawn(pool.write([&](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    task->cancel();  // nothing but the commit is left
  })));
  app.settle();
  CHECK(task->code() == boost::system::error_code());
  CHECK(rows() == std::vector{1});
  auto done = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
  app.step_db();
  done.cancel();
  CHECK(app.finish(done).changes == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Ending, "cancel: one of a batch takes nobody with it") {
  auto first = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  auto cancelled = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
  auto last = app.spawn(pool.execute("INSERT INTO t VALUES (3)"));
  cancelled.cancel();
  app.settle();
  CHECK(first.get().changes == 1);
  CHECK(cancelled.code() == stopped);
  CHECK(last.get().changes == 1);
  CHECK(rows() == std::vector{1, 3});
}

TEST_CASE_METHOD(Ending, "deadline: who waits longer than acquire_timeout is told who holds the connection") {
  auto transaction = run(pool.begin());
  auto waits = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  auto patient = app.spawn(pool.execute({.timeout = 10s}, "INSERT INTO t VALUES (2)"));
  app.settle();
  app.clock->advance(3s);
  app.settle();
  CHECK(waits.code() == errc::acquire_timeout);
  CHECK(contains(waits.text(), "held by begin"));
  CHECK_FALSE(patient.done());
  run(std::move(transaction).rollback());
  CHECK(app.finish(patient).changes == 1);
  CHECK(rows() == std::vector{2});
  check_all_clean();
}

TEST_CASE_METHOD(Ending, "deadline: a closure that runs too long is stopped at its next statement and undone") {
  CHECK(code(pool.write(
            [&](Connection& db) {
              db.execute("INSERT INTO t VALUES (1)");
              app.clock->advance(2s);
              db.execute("INSERT INTO t VALUES (2)");
            },
            {.run_timeout = 2s})) == errc::deadline_exceeded);
  CHECK(code(pool.read(
            [&](Reader& db) {
              app.clock->advance(2s);
              return db.query_one<int>("SELECT 1");
            },
            {.run_timeout = 2s})) == errc::deadline_exceeded);
  CHECK(rows().empty());
  run(pool.write(
      [&](Connection& db) {
        db.execute("INSERT INTO t VALUES (3)");
        app.clock->advance(2s);  // it is done in time but for the commit
      },
      {.run_timeout = 2s}));
  CHECK(rows() == std::vector{3});
  check_all_clean();
}

TEST_CASE_METHOD(Ending, "deadline: one that strikes in a transaction leaves it to its holder, who may go on or back") {
  auto transaction = run(pool.begin());
  run(transaction.execute("INSERT INTO t VALUES (1)"));
  CHECK(code(transaction.savepoint(
            [&](Connection& db) {
              db.execute("INSERT INTO t VALUES (2)");
              app.clock->advance(2s);
              db.query_one<int>("SELECT 1");
            },
            {.run_timeout = 2s})) == errc::deadline_exceeded);
  run(transaction.execute("INSERT INTO t VALUES (3)"));
  run(std::move(transaction).commit());
  CHECK(rows() == std::vector{1, 3});
  check_all_clean();
}

TEST_CASE_METHOD(Ending,
                 "shutdown: what waits is refused, what holds a transaction is rolled back, and all is closed") {
  auto transaction = run(pool.begin());
  run(transaction.execute("INSERT INTO t VALUES (1)"));
  auto waits = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
  auto shutdown = app.spawn(app.state->shutdown({.grace = 1s, .deadline = 2s}));
  app.settle();
  CHECK(waits.code() == errc::closed);
  app.clock->advance(1s);
  CHECK(app.finish(shutdown).clean());
  CHECK(code(transaction.execute("INSERT INTO t VALUES (3)")) == errc::closed);
  CHECK(code(pool.query_one<int>("SELECT 1")) == errc::closed);
  reopen(migrations({"CREATE TABLE other(a)"}));
  CHECK(rows().empty());
}

}  // namespace
}  // namespace statehouse::test
