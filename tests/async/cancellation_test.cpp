// Cancellation at every moment of an operation's life. What must hold at each: exactly one completion, the outcome is
// true (reported as done means done, reported as aborted means nothing of it is kept), and the connection is clean.

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <set>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using asio::cancellation_type;

const boost::system::error_code aborted(ECANCELED, boost::system::system_category());
const std::vector every_type{cancellation_type::total, cancellation_type::partial, cancellation_type::terminal};

/// A verb that adds `id` to the table `t` if it writes, and calls `hook()` once meanwhile.
struct Verb {
  const char* name;
  bool writes;
  asio::awaitable<void> (*start)(Pool, int id);
};

const std::vector<Verb> verbs{
    {"execute", true,
     [](Pool pool, int id) -> asio::awaitable<void> {
       co_await pool.execute("INSERT INTO t SELECT ? WHERE hook() > 0", id);
     }},
    {"execute_returning", true,
     [](Pool pool, int id) -> asio::awaitable<void> {
       co_await pool.execute_returning<int>("INSERT INTO t SELECT ? WHERE hook() > 0 RETURNING a", id);
     }},
    {"execute_many", true,
     [](Pool pool, int id) -> asio::awaitable<void> {
       co_await pool.execute_many("INSERT INTO t SELECT ? WHERE hook() > 0", std::vector<int>(1, id));
     }},
    {"query_all", false,
     [](Pool pool, int id) -> asio::awaitable<void> { co_await pool.query_all<int>("SELECT ? + hook()", id); }},
    {"query_optional", false,
     [](Pool pool, int id) -> asio::awaitable<void> { co_await pool.query_optional<int>("SELECT ? + hook()", id); }},
    {"query_one", false,
     [](Pool pool, int id) -> asio::awaitable<void> { co_await pool.query_one<int>("SELECT ? + hook()", id); }},
    {"read", false,
     [](Pool pool, int id) -> asio::awaitable<void> {
       co_await pool.read([&](Reader& db) { db.query_one<int>("SELECT ? + hook()", id); });
     }},
    {"write", true,
     [](Pool pool, int id) -> asio::awaitable<void> {
       co_await pool.write([&](Connection& db) { db.execute("INSERT INTO t SELECT ? WHERE hook() > 0", id); });
     }},
    {"write_without_transaction", true,
     [](Pool pool, int id) -> asio::awaitable<void> {
       co_await pool.write_without_transaction(
           [&](Connection& db) { db.execute("INSERT INTO t SELECT ? WHERE hook() > 0", id); });
     }},
};

/// Those that give a connection, and give it back at once.
const std::vector<Verb> holders{
    {"begin", true, [](Pool pool, int) -> asio::awaitable<void> { co_await pool.begin(); }},
    {"acquire writer", true, [](Pool pool, int) -> asio::awaitable<void> { co_await pool.acquire(writer); }},
    {"acquire reader", false, [](Pool pool, int) -> asio::awaitable<void> { co_await pool.acquire(reader); }},
};

std::vector<Verb> all_verbs() {
  std::vector<Verb> all = verbs;
  all.insert(all.end(), holders.begin(), holders.end());
  return all;
}

/// One writer, one reader, a table `t(a)`.
struct Cancellation {
  SqlHook hook;
  std::function<void()> commit_hook;  // called by SQLite in the middle of COMMIT
  SteppedApp app{hook.in(options())};
  Pool pool = app.open();

  Cancellation() { app.run(pool.execute("CREATE TABLE t(a)")); }

  PoolOptions options() {
    PoolOptions result;
    result.readers = 1;
    result.connection.on_connect = [this](Connection& connection, connection_role) {
      const auto call = [](void* self) {
        if (const auto& callback = static_cast<Cancellation*>(self)->commit_hook) callback();
        return 0;
      };
      sqlite3_commit_hook(connection.native().getHandle(), call, this);
    };
    return result;
  }
  std::vector<int> rows() { return app.run(pool.query_all<int>("SELECT a FROM t ORDER BY rowid")); }
  Task<void> start(const Verb& verb, int id) { return app.spawn(verb.start(pool, id)); }
  /// The only connection the verb can use.
  ReaderLease hold(const Verb& verb) {
    return verb.writes ? ReaderLease(app.run(pool.acquire(writer))) : app.run(pool.acquire(reader));
  }
};

TEST_CASE_METHOD(Cancellation, "cancel while queued: any type takes the operation out, and only that one") {
  //   holder            first             cancelled         last
  //   acquire
  //                     waits             waits             waits
  //                                       cancel: completes with operation_aborted, by a post
  //   gives back
  //                     runs                                runs
  for (const Verb& verb : all_verbs())
    for (const cancellation_type type : every_type) {
      CAPTURE(verb.name, static_cast<int>(type));
      auto lease = hold(verb);
      auto first = start(verb, 1);
      auto cancelled = start(verb, 2);
      auto last = start(verb, 3);
      const auto before = pool.stats();
      cancelled.cancel(type);
      CHECK(cancelled.completions() == 0);
      app.settle();
      CHECK(cancelled.completions() == 1);
      CHECK(cancelled.code() == aborted);
      CHECK(contains(cancelled.text(), "cancelled while waiting"));
      const auto after = pool.stats();
      CHECK(after.writer.cancelled + after.readers.cancelled == before.writer.cancelled + before.readers.cancelled + 1);
      CHECK(after.writer.waiting + after.readers.waiting == 2);
      CHECK(!first.done());
      lease.release();
      app.finish(first);
      app.finish(last);
      CHECK(cancelled.completions() == 1);
      check_all_clean(app, pool);
      const bool adds = verb.writes && verb.name != std::string("begin") && verb.name != std::string("acquire writer");
      CHECK(rows() == (adds ? std::vector{1, 3} : std::vector<int>{}));
      app.run(pool.execute("DELETE FROM t"));
    }
}

TEST_CASE_METHOD(Cancellation, "cancel when scheduled but not begun: any type, and the connection goes to the next") {
  //   caller                       database thread
  //   submitted                    (a turn is posted)
  //   cancel
  //                                the turn finds nothing to do
  for (const Verb& verb : all_verbs())
    for (const cancellation_type type : every_type) {
      CAPTURE(verb.name, static_cast<int>(type));
      auto task = start(verb, 1);
      task.cancel(type);
      app.settle();
      REQUIRE(task.completions() == 1);
      // A free connection is acquired at once: then there is nothing left to cancel.
      CHECK(task.code() == (std::string(verb.name).starts_with("acquire") ? boost::system::error_code() : aborted));
      CHECK(rows().empty());
      check_all_clean(app, pool);
    }
}

TEST_CASE_METHOD(Cancellation, "cancel while running: terminal stops a statement within bounded steps and undoes it") {
  const char* const endless_insert =
      "INSERT INTO t SELECT hook() FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT n FROM c)";
  const auto stops = [&](auto operation) {
    const int before = hook.calls;
    auto task = app.spawn(std::move(operation));
    auto next = app.spawn(pool.execute("INSERT INTO t VALUES (-1)"));
    hook.call = [&](int number) {
      if (number == before + 10) task.cancel();
    };
    app.step_db();
    app.settle();
    REQUIRE(task.completions() == 1);
    CHECK(task.code() == aborted);
    CHECK(contains(task.text(), "the statement was stopped"));
    // 1000 steps of SQLite's virtual machine are between two looks at the flag.
    CHECK(hook.calls - before < 10 + 1000);
    // The one behind it, which runs in the same turn, is not hit by what was meant for another.
    CHECK(next.code() == boost::system::error_code());
    CHECK(rows() == std::vector{-1});
    check_all_clean(app, pool);
    app.run(pool.execute("DELETE FROM t"));
  };
  stops(pool.execute(endless_insert));
  stops(
      pool.execute_returning<int>("INSERT INTO t SELECT hook() FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
                                  "SELECT 1 FROM c) SELECT n FROM c) RETURNING a"));
  stops(pool.query_all<int>(endless_hook));
  stops(pool.query_optional<int>(endless_hook));
  stops(pool.query_one<int>(endless_hook));
  const auto reads = [](Reader& db) { return db.query_one<int>(endless_hook); };
  stops(pool.read(reads));
  const auto writes = [&](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    db.execute(endless_insert);
  };
  stops(pool.write(writes));
  stops(pool.write_without_transaction([&](Connection& db) { db.execute(endless_insert); }));
}

TEST_CASE_METHOD(Cancellation, "cancel while running: total and partial promise no side effects, so they are ignored") {
  for (const Verb& verb : verbs)
    for (const cancellation_type type : {cancellation_type::total, cancellation_type::partial}) {
      CAPTURE(verb.name);
      auto task = start(verb, 1);
      hook.call = [&](int) { task.cancel(type); };
      app.settle();
      hook.call = {};
      REQUIRE(task.completions() == 1);
      CHECK(!task.failed());
      CHECK(rows() == (verb.writes ? std::vector{1} : std::vector<int>{}));
      app.run(pool.execute("DELETE FROM t"));
      check_all_clean(app, pool);
    }
}

TEST_CASE_METHOD(Cancellation, "cancel while running: a closure that is done all the same has succeeded") {
  for (const bool in_transaction : {true, false}) {
    std::optional<Task<int>> task;
    const auto closure = [&](Connection& db) {
      db.execute("INSERT INTO t VALUES (1)");
      task->cancel();
      return 7;
    };
    task = app.spawn(in_transaction ? pool.write(closure) : pool.write_without_transaction(closure));
    app.settle();
    CHECK(task->get() == 7);
    CHECK(rows() == std::vector{1});
    app.run(pool.execute("DELETE FROM t"));
    check_all_clean(app, pool);
  }
}

TEST_CASE_METHOD(Cancellation, "cancel while running: what the closure throws instead arrives, and nothing is kept") {
  std::optional<Task<void>> task;
  const auto closure = [&](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    task->cancel();
    try {
      db.execute("INSERT INTO t VALUES (2)");
    } catch (const Error&) {
      throw std::runtime_error("mine");
    }
  };
  task = app.spawn(pool.write(closure));
  app.settle();
  CHECK_THROWS_AS(task->get(), std::runtime_error);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Cancellation, "cancel during the wait for another program's lock: the wait ends, nothing is kept") {
  //   another program            writer                                  caller
  //   BEGIN IMMEDIATE
  //                              busy, looks at the clock...
  //                                                                      cancel
  //                              ...gives up
  //   ROLLBACK
  //                              the next one succeeds
  sqlite3* stranger = nullptr;
  REQUIRE(sqlite3_open(pool.path().c_str(), &stranger) == SQLITE_OK);
  for (const Verb& verb : all_verbs()) {
    if (!verb.writes || verb.name == std::string("acquire writer")) continue;
    CAPTURE(verb.name);
    REQUIRE(sqlite3_exec(stranger, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
    auto task = start(verb, 1);
    app.clock->on_read([&](int reading) {
      if (reading == 4) task.cancel();
      if (reading == 1000) throw std::logic_error("nobody stops waiting");
    });
    app.step_db();
    app.clock->on_read({});
    app.settle();
    REQUIRE(task.completions() == 1);
    CHECK(task.code() == aborted);
    REQUIRE(sqlite3_exec(stranger, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK);
    app.run(pool.execute("INSERT INTO t VALUES (9)"));
    CHECK(rows() == std::vector{9});
    app.run(pool.execute("DELETE FROM t"));
    check_all_clean(app, pool);
  }
  sqlite3_close(stranger);
}

TEST_CASE_METHOD(Cancellation, "cancel after the commit, before the caller is resumed: it is a success") {
  //   caller                       database thread
  //   submitted
  //                                runs, commits, posts the completion
  //   cancel
  //   resumed: done
  for (const Verb& verb : all_verbs())
    for (const cancellation_type type : every_type) {
      if (std::string(verb.name).starts_with("acquire")) continue;  // needs no database thread
      CAPTURE(verb.name);
      auto task = start(verb, 1);
      app.step_db();
      CHECK(task.completions() == 0);
      task.cancel(type);
      task.cancel(type);
      app.settle();
      REQUIRE(task.completions() == 1);
      CHECK(!task.failed());
      check_all_clean(app, pool);
      app.run(pool.execute("DELETE FROM t"));
    }
}

TEST_CASE_METHOD(Cancellation, "cancel: a coroutine that goes on all the same cannot submit anything more") {
  auto holder = app.run(pool.acquire(writer));
  auto twice = app.spawn([&]() -> asio::awaitable<void> {
    try {
      co_await pool.execute("INSERT INTO t VALUES (1)");
    } catch (const boost::system::system_error&) {
    }
    co_await pool.execute("INSERT INTO t VALUES (2)");
  });
  twice.cancel();
  app.settle();
  holder.release();
  app.settle();
  CHECK(twice.code() == aborted);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Cancellation,
                 "cancel a statement of a transaction: before it runs, or while it reads, the others stay") {
  for (const bool running : {false, true}) {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t VALUES (1)"));
    auto task = app.spawn(transaction.query_all<int>("SELECT hook() UNION ALL SELECT hook()"));
    hook.call = [&](int) { task.cancel(); };
    if (!running) task.cancel(cancellation_type::partial);
    app.settle();
    hook.call = {};
    REQUIRE(task.completions() == 1);
    CHECK(task.code() == aborted);
    app.run(transaction.execute("INSERT INTO t VALUES (3)"));
    app.run(std::move(transaction).commit());
    CHECK(rows() == std::vector{1, 3});
    app.run(pool.execute("DELETE FROM t"));
    check_all_clean(app, pool);
  }
}

TEST_CASE_METHOD(
    Cancellation,
    "cancel a statement of a transaction while it writes: SQLite gives up the whole, and so says the next call") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t VALUES (1)"));
  auto task = app.spawn(transaction.execute("INSERT INTO t SELECT hook() UNION ALL SELECT hook()"));
  hook.call = [&](int) { task.cancel(); };
  app.settle();
  hook.call = {};
  CHECK(task.code() == aborted);
  auto next = app.spawn(transaction.execute("INSERT INTO t VALUES (3)"));
  app.settle();
  CHECK(next.code() == errc::transaction_rolled_back);
  auto commit = app.spawn(std::move(transaction).commit());
  app.settle();
  CHECK(commit.code() == errc::transaction_rolled_back);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Cancellation,
                 "cancel a statement of a transaction whose handle is gone: rolled back, connection given on") {
  //   caller                                database thread
  //   INSERT in the transaction: queued
  //   the Transaction is dropped            (kept until the statement is over)
  //   the statement is cancelled            rolled back, then the next writer
  for (const bool running : {false, true}) {
    std::optional<Transaction> transaction(app.run(pool.begin()));
    app.run(transaction->execute("INSERT INTO t VALUES (1)"));
    auto task = app.spawn(transaction->execute("INSERT INTO t SELECT hook() UNION ALL SELECT hook()"));
    auto next = app.spawn(pool.execute("INSERT INTO t VALUES (9)"));
    const auto drop_and_cancel = [&](int) {
      transaction.reset();
      task.cancel();
    };
    if (running) {
      hook.call = drop_and_cancel;
    } else {
      drop_and_cancel(0);
    }
    app.settle();
    hook.call = {};
    REQUIRE(task.completions() == 1);
    CHECK(task.code() == aborted);
    CHECK(app.finish(next).changes == 1);
    CHECK(rows() == std::vector{9});
    app.run(pool.execute("DELETE FROM t"));
    check_all_clean(app, pool);
  }
}

TEST_CASE_METHOD(Cancellation, "cancel a commit: before it runs it is a rollback, after that it has no effect") {
  const auto begin_and_insert = [&] {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t VALUES (1)"));
    return transaction;
  };
  for (const cancellation_type type : every_type) {
    auto queued = app.spawn(begin_and_insert().commit());
    queued.cancel(type);
    app.settle();
    REQUIRE(queued.completions() == 1);
    CHECK(queued.code() == aborted);
    CHECK(rows().empty());

    auto running = app.spawn(begin_and_insert().commit());
    commit_hook = [&] { running.cancel(type); };
    app.settle();
    commit_hook = {};
    REQUIRE(running.completions() == 1);
    CHECK(!running.failed());
    CHECK(rows() == std::vector{1});
    app.run(pool.execute("DELETE FROM t"));

    auto done = app.spawn(begin_and_insert().commit());
    app.step_db();
    done.cancel(type);
    app.settle();
    REQUIRE(done.completions() == 1);
    CHECK(!done.failed());
    CHECK(rows() == std::vector{1});
    app.run(pool.execute("DELETE FROM t"));
    check_all_clean(app, pool);
  }
}

TEST_CASE_METHOD(Cancellation, "cancel a rollback: the transaction is rolled back either way") {
  for (const bool queued : {true, false}) {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute("INSERT INTO t VALUES (1)"));
    auto task = app.spawn(std::move(transaction).rollback());
    if (!queued) app.step_db();
    task.cancel();
    app.settle();
    REQUIRE(task.completions() == 1);
    CHECK(task.failed() == queued);
    CHECK(rows().empty());
    check_all_clean(app, pool);
  }
}

TEST_CASE_METHOD(Cancellation, "cancel and time out at the same moment: one completion, whichever came first") {
  auto holder = app.run(pool.acquire(writer));
  auto cancelled_first = app.spawn(pool.execute({.timeout = 1s}, "INSERT INTO t VALUES (1)"));
  auto expired_first = app.spawn(pool.execute({.timeout = 1s}, "INSERT INTO t VALUES (2)"));
  cancelled_first.cancel();
  app.clock->advance(1s);
  expired_first.cancel();
  app.settle();
  CHECK(cancelled_first.code() == aborted);
  CHECK(expired_first.code() == errc::acquire_timeout);
  holder.release();
  check_all_clean(app, pool);
  CHECK(rows().empty());
}

/// What each of many coroutines does that are cancelled at random moments: `id` is in the table afterwards exactly if
/// the coroutine was told so.
asio::awaitable<void> add(Pool pool, int id, int how, std::set<int>& acknowledged) {
  switch (how % 6) {
    case 0: co_await pool.execute("INSERT INTO t VALUES (?)", id); break;
    case 1: co_await pool.execute_returning<int>("INSERT INTO t VALUES (?) RETURNING a", id); break;
    case 2:
      co_await pool.write([&](Connection& db) {
        db.execute("INSERT INTO t VALUES (?)", -id);
        db.execute("UPDATE t SET a = ? WHERE a = ?", id, -id);
      });
      break;
    case 3:
      co_await pool.write_without_transaction([&](Connection& db) { db.execute("INSERT INTO t VALUES (?)", id); });
      break;
    case 4: {
      auto transaction = co_await pool.begin();
      co_await transaction.execute("INSERT INTO t VALUES (?)", -id);
      co_await transaction.savepoint([&](Connection& db) { db.execute("UPDATE t SET a = ? WHERE a = ?", id, -id); });
      co_await std::move(transaction).commit();
      break;
    }
    default: {
      auto lease = co_await pool.acquire(writer);
      co_await lease.write([&](Connection& db) { db.execute("INSERT INTO t VALUES (?)", id); });
    }
  }
  acknowledged.insert(id);
}

TEST_CASE_METHOD(Cancellation, "cancel at any step of any schedule: acknowledged is exactly what is kept") {
  std::mt19937 random(Catch::getSeed());  // printed; --rng-seed gives it again
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  std::set<int> acknowledged;
  int next_id = 0;
  for (int round = 0; round < 250; ++round) {
    CAPTURE(round);
    std::vector<Task<void>> tasks;
    const int tasks_of_this_round = 1 + int(random() % 8);
    for (int left = tasks_of_this_round; left > 0 || app.step_io() || app.step_db();) {
      if (left > 0 && one_in(3)) {
        --left;
        tasks.push_back(app.spawn(add(pool, ++next_id, int(random() % 6), acknowledged)));
      }
      if (one_in(2)) app.step_db();
      if (one_in(2)) app.step_io();
      if (!tasks.empty() && one_in(6)) tasks[random() % tasks.size()].cancel(every_type[random() % 3]);
      if (one_in(20)) app.clock->advance(1s);
    }
    app.settle();
    for (auto& task : tasks) REQUIRE(task.completions() == 1);
    const auto kept = rows();
    REQUIRE(std::set<int>(kept.begin(), kept.end()) == acknowledged);
    REQUIRE(kept.size() == acknowledged.size());
  }
  CHECK(acknowledged.size() > 20);
  CHECK(acknowledged.size() < std::size_t(next_id));
  check_all_clean(app, pool);
}

}  // namespace
}  // namespace statehouse::test
