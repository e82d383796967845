// Who gets a connection, when, and what those hear who do not.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <deque>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

PoolOptions with_readers(unsigned readers) {
  PoolOptions options;
  options.readers = readers;
  return options;
}

/// One writer, two readers, a table `t(a)`.
struct Queue {
  SqlHook hook;
  SteppedApp app;
  Pool pool;

  explicit Queue(PoolOptions options = with_readers(2)) : app(hook.in(std::move(options))), pool(app.open()) {
    app.run(pool.execute("CREATE TABLE t(a)"));
  }
  std::vector<int> rows() { return app.run(pool.query_all<int>("SELECT a FROM t ORDER BY rowid")); }
  static std::string line(int number) { return "queue_test.cpp:" + std::to_string(number); }
};

TEST_CASE_METHOD(Queue, "writer: operations of every verb run in the order in which they came") {
  std::vector<std::string> done;
  const auto note = [&](std::string name, auto operation) {
    return app.spawn([&done, name, work = std::move(operation)]() mutable -> asio::awaitable<void> {
      co_await std::move(work);
      done.push_back(name);
    });
  };
  auto holder = app.run(pool.begin());
  const auto insert = [](Connection& db) { db.execute("INSERT INTO t VALUES (3)"); };
  std::vector<Task<void>> tasks;
  tasks.push_back(note("execute", pool.execute("INSERT INTO t VALUES (1)")));
  tasks.push_back(note("returning", pool.execute_returning<int>("INSERT INTO t VALUES (2) RETURNING a")));
  tasks.push_back(note("write", pool.write(insert)));
  tasks.push_back(note("begin", pool.begin()));
  tasks.push_back(note("acquire", pool.acquire(writer)));
  tasks.push_back(note("last", pool.execute("INSERT INTO t VALUES (4)")));
  app.settle();
  CHECK(done.empty());
  CHECK(pool.stats().writer.waiting == 6);
  app.run(std::move(holder).rollback());
  app.settle();
  CHECK(done == std::vector<std::string>{"execute", "returning", "write", "begin", "acquire", "last"});
  CHECK(rows() == std::vector{1, 2, 3, 4});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Queue, "hand-off: a connection that comes back goes to the longest waiting, never to a newcomer") {
  //   holder              first                    second            newcomer
  //   begin
  //                       acquire: waits
  //                                                execute: waits
  //   commit, given back
  //                       (has it already)                           acquire: waits, although `first` was not resumed
  //                       resumed
  //                       gives back
  //                                                runs
  //                                                                  has it
  auto holder = app.run(pool.begin());
  auto first = app.spawn(pool.acquire(writer));
  auto second = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  auto commit = app.spawn(std::move(holder).commit());
  app.step_db();
  while (!commit.done()) REQUIRE(app.step_io());
  auto newcomer = app.spawn(pool.acquire(writer));
  app.settle();
  REQUIRE(first.done());
  CHECK(!second.done());
  CHECK(!newcomer.done());
  CHECK(pool.stats().writer.waiting == 2);
  first.get().release();
  app.step_db();
  app.step_io();
  CHECK(second.done());
  app.settle();
  REQUIRE(newcomer.done());
  newcomer.get().release();
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Queue, "hand-off: a connection is free as soon as COMMIT is done, before its caller is resumed") {
  auto holder = app.run(pool.begin());
  auto waiting = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  auto commit = app.spawn(std::move(holder).commit());
  app.step_db();  // COMMIT
  app.step_db();  // the one who waits
  CHECK(!commit.done());
  CHECK(pool.stats().writer.waiting == 0);
  app.settle();
  CHECK(commit.done());
  CHECK(waiting.done());
  check_all_clean(app, pool);
}

TEST_CASE("readers: connections are handed out in turn") {
  std::deque<int> numbers;
  PoolOptions options = with_readers(3);
  options.connection.on_connect = [&](Connection& connection, connection_role role) {
    if (role == connection_role::writer) return;
    int& number = numbers.emplace_back(static_cast<int>(numbers.size()));
    sqlite3_create_function(
        connection.native().getHandle(), "number", 0, SQLITE_UTF8, &number,
        [](sqlite3_context* context, int, sqlite3_value**) {
          sqlite3_result_int(context, *static_cast<int*>(sqlite3_user_data(context)));
        },
        nullptr, nullptr);
  };
  SteppedApp app(options);
  const Pool pool = app.open();
  app.open_readers(pool, 3);
  REQUIRE(numbers.size() == 3);
  const auto who = [](Reader& db) { return db.query_one<int>("SELECT number()"); };
  std::vector<int> order;
  for (int i = 0; i < 7; ++i) order.push_back(app.run(pool.read(who)));
  CHECK(order == std::vector{0, 1, 2, 0, 1, 2, 0});

  // One that is held is left out; the others go on in turn.
  auto lease = app.run(pool.acquire(reader));
  order.clear();
  for (int i = 0; i < 4; ++i) order.push_back(app.run(pool.read(who)));
  CHECK(order == std::vector{2, 0, 2, 0});
  CHECK(app.run(lease.read(who)) == 1);
}

TEST_CASE_METHOD(Queue,
                 "readers: as many run at once as there are connections, the rest waits for the first that is free") {
  auto first = app.run(pool.acquire(reader));
  auto second = app.run(pool.acquire(reader));
  auto third = app.spawn(pool.acquire(reader));
  auto fourth = app.spawn(pool.query_one<int>("SELECT 4"));
  app.settle();
  CHECK(pool.stats().readers.in_use == 2);
  CHECK(pool.stats().readers.waiting == 2);
  second.release();
  app.settle();
  REQUIRE(third.done());
  CHECK(!fourth.done());
  first.release();
  app.settle();
  REQUIRE(fourth.done());
  third.get().release();
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Queue, "acquire timeout: names the pool, the call, the wait, the queue and who holds the connection") {
  const int held_at = __LINE__ + 1;
  auto holder = app.run(pool.begin());
  app.clock->advance(100ms);
  const int called_at = __LINE__ + 1;
  auto task = app.spawn(pool.execute({.timeout = 250ms}, "INSERT INTO t VALUES (1)"));
  auto other = app.spawn(pool.begin());
  app.clock->advance(249ms);
  app.settle();
  CHECK(!task.done());
  app.clock->advance(1ms);
  CHECK(!task.done());  // posted, not run by the clock
  app.settle();
  REQUIRE(task.completions() == 1);
  CHECK(task.code() == errc::acquire_timeout);
  CHECK(task.code() == condition::timeout);
  CHECK(task.text() == "database 'test': execute at " + line(called_at) +
                           ": no writer connection became free within 250 ms; 2 in the queue; held by begin at " +
                           line(held_at) + " for 350 ms (not running anything)");
  try {
    task.get();
  } catch (const Error& error) {
    CHECK(error.database() == "test");
  }
  CHECK(!other.done());
  CHECK(pool.stats().writer.acquire_timeouts == 1);
  CHECK(pool.stats().writer.waiting == 1);
  app.run(std::move(holder).commit());
  CHECK(app.finish(other).query_one<int>("SELECT 1").valid());
  CHECK(rows().empty());
}

TEST_CASE_METHOD(Queue, "acquire timeout: says that the holder is running, and lists every holder of the lane") {
  //   reader 1            reader 2          caller
  //   held for 1 s
  //                       SELECT hook()...
  //                                         waits 3 s, in vain
  //                       ...ends
  auto lease = app.run(pool.acquire(reader));
  app.clock->advance(1s);
  hook.call = [&](int) { app.clock->advance(3s); };
  auto running = app.spawn(pool.query_one<int>("SELECT hook()"));
  auto waiting = app.spawn([&]() -> asio::awaitable<ReaderLease> { co_return co_await pool.acquire(reader); });
  CHECK(app.finish(running) == 1);
  app.settle();
  // Reader 2 was free before the caller was resumed, but the time was up before.
  CHECK(waiting.code() == errc::acquire_timeout);
  const std::string text = waiting.text();
  CHECK(contains(text, "acquire at queue_test.cpp:"));
  CHECK(contains(
      text, "no reader connection became free within 3000 ms; 1 in the queue; held by acquire at queue_test.cpp:"));
  CHECK(contains(text, " for 4000 ms (not running anything), query_one at queue_test.cpp:"));
  CHECK(contains(text, " for 3000 ms (running)"));
  lease.release();
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Queue, "acquire timeout: everyone has their own, by default three seconds, and none means none") {
  auto holder = app.run(pool.begin());
  auto none = app.spawn(pool.execute({.timeout = 0ms}, "INSERT INTO t VALUES (0)"));
  auto standard = app.spawn(pool.execute("INSERT INTO t VALUES (3)"));
  auto shorter = app.spawn(pool.execute({.timeout = 1s}, "INSERT INTO t VALUES (1)"));
  auto longer = app.spawn(pool.execute({.timeout = 5s}, "INSERT INTO t VALUES (5)"));
  const auto after = [&](std::chrono::milliseconds time) {
    app.clock->advance(time);
    app.settle();
    return std::vector<bool>{none.done(), standard.done(), shorter.done(), longer.done()};
  };
  CHECK(after(999ms) == std::vector{false, false, false, false});
  CHECK(after(1ms) == std::vector{false, false, true, false});
  CHECK(after(1999ms) == std::vector{false, false, true, false});
  CHECK(after(1ms) == std::vector{false, true, true, false});
  CHECK(after(2s) == std::vector{false, true, true, true});
  CHECK(after(1h) == std::vector{false, true, true, true});
  CHECK(longer.code() == errc::acquire_timeout);
  app.run(std::move(holder).commit());
  app.settle();
  CHECK(none.done());
  CHECK(rows() == std::vector{0});
  CHECK(pool.stats().writer.acquire_timeouts == 3);
  CHECK(pool.stats().readers.acquire_timeouts == 0);
}

TEST_CASE_METHOD(Queue, "acquire timeout: one that was served in time leaves no trace in the next ones") {
  auto served = app.spawn(pool.execute({.timeout = 1s}, "INSERT INTO t VALUES (1)"));
  app.settle();
  auto holder = app.run(pool.begin());
  auto later = app.spawn(pool.execute({.timeout = 2s}, "INSERT INTO t VALUES (2)"));
  app.clock->advance(1500ms);
  app.settle();
  CHECK(served.done());
  CHECK(!later.done());
  app.clock->advance(500ms);
  app.settle();
  CHECK(later.code() == errc::acquire_timeout);
}

TEST_CASE_METHOD(Queue,
                 "run timeout: a statement is stopped when its time is up, and the next one has all of its own") {
  const int begun_with = hook.calls;
  hook.call = [&](int number) {
    if (number - begun_with == 10) app.clock->advance(100ms);
  };
  auto task = app.spawn(pool.query_one<int>({.run_timeout = 100ms}, endless_hook));
  app.settle();
  CHECK(task.code() == errc::deadline_exceeded);
  CHECK(task.code() == condition::timeout);
  CHECK(hook.calls - begun_with < 1000);
  CHECK(app.run(pool.query_one<int>({.run_timeout = 100ms}, "SELECT 1")) == 1);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Queue,
                 "run timeout: what a closure has written so far is undone, and what it returned in time counts") {
  const auto too_slow = [&](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    app.clock->advance(100ms);
    db.execute("INSERT INTO t VALUES (2)");
  };
  auto stopped = app.spawn(pool.write(too_slow, {.run_timeout = 100ms}));
  app.settle();
  CHECK(stopped.code() == errc::deadline_exceeded);
  CHECK(rows().empty());

  const auto late_but_done = [&](Connection& db) {
    db.execute("INSERT INTO t VALUES (3)");
    app.clock->advance(100ms);
  };
  app.run(pool.write(late_but_done, {.run_timeout = 100ms}));
  CHECK(rows() == std::vector{3});
  // Nothing can be undone any more, so this is a success too.
  app.run(pool.write_without_transaction(late_but_done, {.run_timeout = 100ms}));
  CHECK(rows() == std::vector{3, 3});
  check_all_clean(app, pool);
}

TEST_CASE("run timeout: the pool's holds for every operation that has none of its own") {
  PoolOptions options = with_readers(1);
  options.run_timeout = 100ms;
  Queue queue(options);
  auto& [hook, app, pool] = queue;
  const auto endless_after_100ms = [&](auto operation) {
    const int begun_with = hook.calls;
    hook.call = [&, begun_with](int number) {
      if (number - begun_with == 5) app.clock->advance(100ms);
    };
    auto task = app.spawn(std::move(operation));
    app.settle();
    CHECK(hook.calls - begun_with < 1000);
    return task.code();
  };
  CHECK(endless_after_100ms(pool.query_one<int>(endless_hook)) == errc::deadline_exceeded);
  CHECK(endless_after_100ms(pool.execute("INSERT INTO t SELECT hook() FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
                                         "SELECT 1 FROM c) SELECT n FROM c)")) == errc::deadline_exceeded);
  auto transaction = app.run(pool.begin());
  CHECK(endless_after_100ms(transaction.query_one<int>(endless_hook)) == errc::deadline_exceeded);
  CHECK(app.run(transaction.query_one<int>("SELECT 1")) == 1);
  app.run(std::move(transaction).commit());
  check_all_clean(app, pool);
}

TEST_CASE("run timeout: ends the wait for a lock that another program holds") {
  //   another program          writer
  //   BEGIN IMMEDIATE
  //                            INSERT: busy, looks at the clock again and again
  //                            the third look finds that the time is up
  Queue queue;
  auto& [hook, app, pool] = queue;
  sqlite3* stranger = nullptr;
  REQUIRE(sqlite3_open(pool.path().c_str(), &stranger) == SQLITE_OK);
  REQUIRE(sqlite3_exec(stranger, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto in_vain = [&](auto operation) {
    auto task = app.spawn(std::move(operation));
    app.clock->on_read([&, clock = app.clock](int reading) {
      if (reading == 4) clock->advance(200ms);
    });
    app.settle();
    app.clock->on_read({});
    return task.code();
  };
  CHECK(in_vain(pool.execute({.run_timeout = 200ms}, "INSERT INTO t VALUES (1)")) == errc::deadline_exceeded);
  CHECK(in_vain(pool.begin({.run_timeout = 200ms})) == errc::deadline_exceeded);
  CHECK(in_vain(pool.write([](Connection&) {}, {.run_timeout = 200ms})) == errc::deadline_exceeded);
  sqlite3_close(stranger);
  check_all_clean(app, pool);
}

TEST_CASE("busy timeout: a lock that another program keeps is SQLITE_BUSY after the connection's patience") {
  PoolOptions options = with_readers(1);
  options.connection.busy_timeout = 700ms;
  Queue queue(options);
  auto& [hook, app, pool] = queue;
  sqlite3* stranger = nullptr;
  REQUIRE(sqlite3_open(pool.path().c_str(), &stranger) == SQLITE_OK);
  REQUIRE(sqlite3_exec(stranger, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  auto task = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  app.clock->on_read([&, clock = app.clock](int reading) {
    if (reading % 2 == 0) clock->advance(100ms);
  });
  app.settle();
  app.clock->on_read({});
  CHECK(task.code() == condition::busy);
  CHECK(contains(pool.stats().last_error, "another process holds the lock"));
  // The error is part of what the next one hears who waits in vain.
  auto holder = app.run(pool.acquire(writer));
  auto waiting = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  app.clock->advance(3s);
  app.settle();
  CHECK(contains(waiting.text(), "; last SQLite error: database 'test': database is locked"));
  sqlite3_close(stranger);
}

TEST_CASE("stats: a faulty statement is the caller's error, not the database's") {
  Queue queue;
  auto& [hook, app, pool] = queue;
  auto task = app.spawn(pool.execute("SELEC"));
  app.settle();
  CHECK(task.failed());
  CHECK(pool.stats().writer.failed == 1);
  CHECK(pool.stats().last_error.empty());
}

TEST_CASE("max_waiting: one more is queue_full at once, and nobody else notices") {
  PoolOptions options = with_readers(1);
  options.max_waiting = 3;
  Queue queue(options);
  auto& [hook, app, pool] = queue;
  auto holder = app.run(pool.begin());
  std::vector<Task<ExecuteResult>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", i)));
  auto rejected = app.spawn(pool.execute("INSERT INTO t VALUES (99)"));
  auto rejected_begin = app.spawn(pool.begin());
  app.settle();
  CHECK(rejected.code() == errc::queue_full);
  CHECK(contains(rejected.text(), "3 operations wait for a writer already"));
  CHECK(rejected_begin.code() == errc::queue_full);
  CHECK(pool.stats().writer.rejected == 2);
  // Readers have a queue of their own, and the holder needs none.
  CHECK(app.run(pool.query_one<int>("SELECT 1")) == 1);
  app.run(holder.execute("INSERT INTO t VALUES (-1)"));
  app.run(std::move(holder).commit());
  for (auto& task : tasks) CHECK(app.finish(task).changes == 1);
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (3)")).changes == 1);
  CHECK(queue.rows() == std::vector{-1, 0, 1, 2, 3});
}

TEST_CASE("max_waiting: none may wait, but a free connection needs no waiting") {
  PoolOptions options = with_readers(2);
  options.max_waiting = 0;
  SteppedApp app(options);
  const Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a)"));
  auto first = app.spawn(pool.query_one<int>("SELECT 1"));
  auto second = app.spawn(pool.query_one<int>("SELECT 2"));
  auto third = app.spawn(pool.query_one<int>("SELECT 3"));
  app.settle();
  CHECK(first.get() == 1);
  CHECK(second.get() == 2);
  CHECK(third.code() == errc::queue_full);
}

TEST_CASE_METHOD(
    Queue, "max_waiting: of very many callers at once as many wait as may, the others hear it, each exactly once") {
  constexpr int callers = 30'000;
  constexpr int may_wait = 10'000;  // the default
  auto holder = app.run(pool.begin());
  int done = 0;
  int refused = 0;
  const auto call = [&](int id) -> asio::awaitable<void> {
    try {
      co_await pool.execute("INSERT INTO t VALUES (?)", id);
      ++done;
    } catch (const Error& error) {
      refused += error.code() == errc::queue_full ? 1 : 0;
    }
  };
  std::vector<Task<void>> tasks;
  for (int id = 0; id < callers; ++id) tasks.push_back(app.start(call(id)));
  app.settle();
  CHECK(refused == callers - may_wait);
  CHECK(pool.stats().writer.waiting == may_wait);
  app.run(std::move(holder).commit());
  app.settle(10 * callers);
  CHECK(done == may_wait);
  CHECK(std::ranges::all_of(tasks, [](const auto& task) { return task.completions() == 1; }));
  CHECK(count(app, pool) == may_wait);
}

TEST_CASE_METHOD(Queue, "stats: count what ran, failed, waited, was cancelled, timed out and came back dirty") {
  const LaneStats before = pool.stats().writer;
  CHECK(before.connections == 1);
  CHECK(pool.stats().readers.max_connections == 2);
  CHECK(before.completed == 1);  // CREATE TABLE
  auto holder = app.run(pool.begin());
  auto waits = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  auto cancelled = app.spawn(pool.execute("INSERT INTO t VALUES (2)"));
  auto timed_out = app.spawn(pool.execute({.timeout = 1s}, "INSERT INTO t VALUES (3)"));
  {
    const DatabaseStats stats = pool.stats();
    CHECK(stats.state == database_state::ready);
    CHECK(stats.name == "test");
    CHECK(stats.writer.waiting == 3);
    CHECK(stats.writer.in_use == 1);
    REQUIRE(stats.holders.size() == 1);
    CHECK(stats.holders[0].role == connection_role::writer);
    CHECK(stats.holders[0].verb == "begin");
    CHECK(stats.holders[0].where.starts_with("queue_test.cpp:"));
    CHECK(!stats.holders[0].running);
    CHECK(stats.file_bytes > 0);
    CHECK(stats.wal_bytes > 0);
  }
  cancelled.cancel();
  app.clock->advance(2s);
  CHECK(pool.stats().holders[0].held_for == 2s);
  { const Transaction dropped = std::move(holder); }
  app.settle();
  hook.call = [&](int) {
    app.clock->advance(500ms);
    const auto held = pool.stats().holders;
    if (held.size() != 1 || !held[0].running || held[0].held_for != 500ms) throw 1;
  };
  app.run(pool.execute("INSERT INTO t VALUES (hook())"));
  auto failed = app.spawn(pool.execute("INSERT INTO missing VALUES (1)"));
  app.settle();
  const LaneStats after = pool.stats().writer;
  CHECK(after.completed - before.completed == 4);  // begin, two inserts, one failure
  CHECK(after.failed - before.failed == 1);
  CHECK(after.batches - before.batches == 4);
  CHECK(after.compiled - before.compiled == 3);  // of the statements; BEGIN is the library's own
  CHECK(after.cancelled == 1);
  CHECK(after.acquire_timeouts == 1);
  CHECK(after.rolled_back == 1);
  CHECK(after.replaced == 0);
  CHECK(after.waiting == 0);
  CHECK(after.in_use == 0);
  CHECK(after.wait_time() - before.wait_time() == 2s);
  CHECK(after.run_time() - before.run_time() == 500ms);
}

TEST_CASE_METHOD(Queue, "log: a slow statement is one warning with its text and place, a quick one none") {
  hook.call = [&](int) { app.clock->advance(1s); };
  const int called_at = __LINE__ + 1;
  app.run(pool.query_one<int>("SELECT hook()"));
  CHECK(app.log.count("database 'test': query_one at " + line(called_at) + " ran 1000 ms: SELECT hook()",
                      spdlog::level::warn) == 1);
  hook.call = [&](int) { app.clock->advance(999ms); };
  app.run(pool.query_one<int>("SELECT 1 + hook()"));
  CHECK(app.log.count("SELECT 1 + hook()") == 0);
}

TEST_CASE_METHOD(Queue, "log: a slow acquire is one warning, whatever was acquired") {
  const auto wait_a_second = [&](auto operation) {
    auto holder = app.run(pool.acquire(writer));
    auto task = app.spawn(std::move(operation));
    app.clock->advance(1s);
    holder.release();
    app.settle();
    REQUIRE(task.done());
    return task;
  };
  wait_a_second(pool.execute("INSERT INTO t VALUES (1)"));
  CHECK(app.log.count("execute at queue_test.cpp:", spdlog::level::warn) == 1);
  CHECK(app.log.count("waited 1000 ms for a writer connection", spdlog::level::warn) == 1);
  { auto dropped = wait_a_second(pool.begin()).get(); }
  app.settle();
  CHECK(app.log.count("begin at queue_test.cpp:", spdlog::level::warn) == 1);
  { auto dropped = wait_a_second(pool.acquire(writer)).get(); }
  CHECK(app.log.count("acquire at queue_test.cpp:", spdlog::level::warn) == 1);
  CHECK(app.log.count("waited 1000 ms", spdlog::level::warn) == 3);
  CHECK(pool.stats().writer.wait_time() == 3s);
}

TEST_CASE_METHOD(Queue, "log: a lease or transaction held for long is named once, and again the next time") {
  for (int round = 1; round <= 2; ++round) {
    const int begun_at = __LINE__ + 1;
    auto transaction = app.run(pool.begin());
    app.clock->advance(4s);
    CHECK(app.log.count("held by begin", spdlog::level::warn) == std::size_t(round - 1));
    app.clock->advance(20s);
    CHECK(app.log.count("writer connection held by begin at " + line(begun_at), spdlog::level::warn) ==
          std::size_t(round));
    CHECK(app.log.count("ms, running nothing", spdlog::level::warn) == std::size_t(round));
    app.run(std::move(transaction).rollback());
  }
  auto lease = app.run(pool.acquire(reader));
  app.clock->advance(6s);
  CHECK(app.log.count("reader connection held by acquire", spdlog::level::warn) == 1);
}

}  // namespace
}  // namespace statehouse::test
