// What waits together runs together, and nobody can tell but by the clock.

#include <boost/asio/strand.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <stdexcept>

#include "batch_fixture.hpp"

namespace statehouse::test {
namespace {

using Texts = std::vector<std::string>;

constexpr const char* insert_text = "INSERT INTO t VALUES (?)";
constexpr const char* count_text = "UPDATE counter SET n = n + 1";
/// Inserts one `hook()` after the other, for ever.
constexpr const char* insert_endless =
    "INSERT INTO t SELECT hook() FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT n FROM c)";

TEST_CASE_METHOD(Batching,
                 "batch: executes that wait together share one transaction, and complete only after its commit") {
  //   three callers          writer
  //   execute, wait
  //                          BEGIN IMMEDIATE, three statements
  //   (none is resumed)      COMMIT begins
  //                          COMMIT is done
  //   resumed
  std::vector<Task<ExecuteResult>> tasks;
  for (int i = 1; i <= 3; ++i) tasks.push_back(insert(i));
  bool early = false;
  on_commit = [&] {
    run_callers();
    early = std::ranges::any_of(tasks, &Task<ExecuteResult>::done);
    return false;
  };
  app.step_db();
  CHECK(!early);
  CHECK(writes == Texts{"BEGIN IMMEDIATE", insert_text, insert_text, insert_text, "COMMIT"});
  CHECK(commits == 1);
  CHECK(pool.stats().writer.batches == 2);  // the fixture's tables before
  run_callers();
  for (int i = 1; i <= 3; ++i) {
    CHECK(tasks[std::size_t(i - 1)].completions() == 1);
    const auto [changes, rowid] = tasks[std::size_t(i - 1)].get();
    CHECK(changes == 1);
    CHECK(rowid == i);
  }
  CHECK(rows() == std::vector{1, 2, 3});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "batch: an operation that waits alone has no transaction around it") {
  insert(1);
  app.settle();
  CHECK(writes == Texts{insert_text});
  const auto query = app.spawn(pool.query_one<int>("SELECT 1"));
  app.settle();
  CHECK(reads == Texts{"SELECT 1"});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching,
                 "batch: queries that wait together see one snapshot; one that comes later sees what is new") {
  //   reader                         writer                      a later caller
  //   count: 0
  //   hook, in the same snapshot     inserts, is acknowledged
  //                                                              count: waits
  //   count: still 0
  //                                                              count: 1
  auto before = app.spawn(pool.query_one<int>("SELECT count(*) FROM t"));
  auto middle = app.spawn(pool.query_one<int>("SELECT hook()"));
  auto after = app.spawn(pool.query_one<int>("SELECT count(*) FROM t"));
  std::optional<Task<int>> later;
  std::optional<Task<ExecuteResult>> written;
  bool acknowledged = false;
  hook.call = [&](int) {
    elsewhere([&] {
      written = insert(1);
      app.step_db();
      run_callers();
      acknowledged = written->done();
      later = app.spawn(pool.query_one<int>("SELECT count(*) FROM t"));
    });
  };
  app.settle();
  CHECK(middle.done());
  CHECK(acknowledged);
  CHECK(written->get().changes == 1);
  CHECK(before.get() == 0);
  CHECK(after.get() == 0);
  CHECK(later.value().get() == 1);
  CHECK(reads == Texts{"BEGIN", "SELECT count(*) FROM t", "SELECT hook()", "SELECT count(*) FROM t", "COMMIT",
                       "SELECT count(*) FROM t"});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching,
                 "batch: of 64 statements one fails, with its own error for its own caller; 63 are committed") {
  std::vector<Task<ExecuteResult>> tasks;
  for (int i = 0; i < 64; ++i) tasks.push_back(insert(i == 40 ? 39 : i));
  app.settle();
  CHECK(commits == 1);
  for (int i = 0; i < 64; ++i) {
    INFO("caller " << i);
    CHECK(tasks[std::size_t(i)].completions() == 1);
    CHECK(tasks[std::size_t(i)].failed() == (i == 40));
  }
  CHECK(tasks[40].code() == condition::unique);
  CHECK(contains(tasks[40].text(), "UNIQUE constraint failed: t.a"));
  CHECK(count(app, pool) == 63);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching,
                 "batch: a statement that rolls everything back fails alone; the others are kept, none twice") {
  app.run(pool.execute("CREATE TRIGGER no BEFORE INSERT ON t WHEN NEW.a = -1 BEGIN SELECT RAISE(ROLLBACK, 'no'); END"));
  app.run(pool.execute("INSERT INTO t VALUES (0)"));
  for (const char* const culprit : {"INSERT OR ROLLBACK INTO t VALUES (0)", "INSERT INTO t VALUES (-1)"}) {
    INFO(culprit);
    const int before = counter();
    forget();
    std::vector<Task<ExecuteResult>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(count_up());
    auto fails = execute(culprit);
    for (int i = 0; i < 10; ++i) tasks.push_back(count_up());
    app.settle();
    CHECK(fails.code() == condition::constraint);
    for (auto& task : tasks) CHECK(task.get().changes == 1);
    CHECK(times("BEGIN IMMEDIATE") == 1);  // where one was lost the rest does without
    CHECK(counter() == before + 20);
  }
  CHECK(rows() == std::vector{0});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "batch: a statement that is stopped takes nobody with it, and nobody's work is done twice") {
  //   callers                             writer
  //                                       counts up, counts up
  //                                       inserts for ever
  //   cancels it, or its time is up       SQLite rolls the transaction back
  //                                       counts up again, again; counts up, counts up
  const bool by_cancel = GENERATE(true, false);
  CAPTURE(by_cancel);
  std::vector<Task<ExecuteResult>> tasks{count_up(), count_up()};
  auto endless_insert = app.spawn(pool.execute({.run_timeout = 100ms}, insert_endless));
  for (int i = 0; i < 2; ++i) tasks.push_back(count_up());
  hook.call = [&](int number) {
    if (number != 10) return;
    by_cancel ? endless_insert.cancel(asio::cancellation_type::terminal) : app.clock->advance(100ms);
  };
  app.settle();
  CHECK(hook.calls < 10'000);
  CHECK(endless_insert.code() == (by_cancel ? aborted : boost::system::error_code(errc::deadline_exceeded)));
  for (auto& task : tasks) CHECK(task.get().changes == 1);
  CHECK(counter() == 4);
  CHECK(rows().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "batch: each operation has its run timeout for itself") {
  hook.call = [&](int) { app.clock->advance(1500us); };
  std::vector<Task<ExecuteResult>> tasks;
  for (int i = 0; i < 2; ++i)
    tasks.push_back(app.spawn(pool.execute({.run_timeout = 1ms}, "UPDATE counter SET n = n + min(1, hook())")));
  app.settle();
  CHECK(commits == 1);
  for (auto& task : tasks) CHECK(task.get().changes == 1);
  CHECK(counter() == 2);
}

TEST_CASE_METHOD(
    Batching,
    "batch: a deferred foreign key that is violated fails its statement, even if a later one would repair it") {
  app.run(pool.write([](Connection& db) {
    db.execute_script(
        "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
        "CREATE TABLE child(id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);");
  }));
  const bool keeps_half = GENERATE(false, true);  // as OR FAIL does
  CAPTURE(keeps_half);
  std::vector<Task<ExecuteResult>> tasks{count_up()};
  auto orphan =
      execute(keeps_half ? "INSERT OR FAIL INTO t SELECT 1 UNION ALL SELECT 1" : "INSERT INTO child VALUES (7)");
  auto other_orphan = execute("INSERT INTO child VALUES (7)");
  auto repair = execute("INSERT INTO parent VALUES (7)");
  auto child = execute("INSERT INTO child VALUES (7)");
  tasks.push_back(count_up());
  app.settle();
  CHECK(orphan.code() == condition::constraint);
  CHECK(other_orphan.code() == condition::constraint);
  CHECK(contains(other_orphan.text(), "FOREIGN KEY constraint failed"));
  CHECK(repair.get().changes == 1);
  CHECK(child.get().changes == 1);
  for (auto& task : tasks) CHECK(task.get().changes == 1);
  CHECK(count(app, pool, "child") == 1);
  CHECK(counter() == 2);
  // What OR FAIL had done before it failed is kept, as it is alone: also when its transaction was lost and it ran
  // again.
  CHECK(rows() == (keeps_half ? std::vector{1} : std::vector<int>{}));
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(
    Batching,
    "batch: a statement that fails with a deferred foreign key violated keeps nothing, and nobody else is blamed") {
  app.run(pool.write([](Connection& db) {
    db.execute_script(
        "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
        "CREATE TABLE only(id UNIQUE REFERENCES parent DEFERRABLE INITIALLY DEFERRED);");
  }));
  const std::string keeps_first = "INSERT OR FAIL INTO only SELECT 7 UNION ALL SELECT 7";
  auto alone = execute(keeps_first);
  app.settle();
  auto first = count_up();
  auto among_others = execute(keeps_first);
  auto last = count_up();
  app.settle();
  CHECK(among_others.failed());
  CHECK(among_others.text() == alone.text());
  CHECK(first.get().changes == 1);
  CHECK(last.get().changes == 1);
  CHECK(times(count_text) == 3);  // the first twice
  CHECK(count(app, pool, "only") == 0);
}

TEST_CASE_METHOD(Batching, "batch: what depends on being in a transaction comes to what it would have come to alone") {
  for (const char* const sql :
       {"VACUUM", "BEGIN", "COMMIT", "SAVEPOINT x", "ATTACH ':memory:' AS x", "PRAGMA synchronous = 0",
        "PRAGMA journal_mode = DELETE", "PRAGMA user_version = 3", "nonsense", "DROP TABLE none",
        "INSERT INTO t VALUES ((SELECT 1 UNION ALL SELECT 2))", "ANALYZE", "REINDEX", ""}) {
    INFO(sql);
    app.run(pool.execute("DELETE FROM t"));
    auto alone = execute(sql);
    app.settle();
    app.run(pool.execute("DELETE FROM t"));
    const int before = counter();
    auto first = count_up();
    auto among_others = execute(sql);
    auto last = count_up();
    app.settle();
    CHECK(among_others.code() == alone.code());
    CHECK(among_others.text() == alone.text());
    CHECK(first.get().changes == 1);
    CHECK(last.get().changes == 1);
    CHECK(counter() == before + 2);
  }
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "batch: where COMMIT is refused, each is told by its own commit") {
  bool always = GENERATE(false, true);
  CAPTURE(always);
  const std::string poison = "UPDATE counter SET n = n + 1000";
  std::vector<Task<ExecuteResult>> tasks{count_up(), count_up()};
  auto refused = execute(poison);
  tasks.push_back(count_up());
  // The shared COMMIT is refused, and then that of the poison.
  bool shared = true;
  on_commit = [&] { return std::exchange(shared, false) || always || writes.back() == poison; };
  app.settle();
  CHECK(commits == 5);
  CHECK(refused.code() == condition::constraint);
  for (auto& task : tasks) CHECK((always ? task.code() == condition::constraint : task.get().changes == 1));
  on_commit = {};
  CHECK(counter() == (always ? 0 : 3));
  check_all_clean(app, pool);
}

TEST_CASE("batch: a disk that is full refuses those it has no room for, and no others") {
  std::vector<std::vector<bool>> failed;
  for (const bool together : {false, true}) {
    Batching batching(Batching::with([](Connection& db) { db.native().exec("PRAGMA max_page_count = 60"); }));
    auto& app = batching.app;
    std::vector<Task<ExecuteResult>> tasks;
    for (const int pages : {5, 60, 1, 10, 100, 2, 30, 1}) {
      tasks.push_back(batching.execute("INSERT INTO t VALUES (randomblob(? * 4096))", pages));
      tasks.push_back(batching.count_up());
      if (!together) app.settle();
    }
    app.settle();
    failed.emplace_back();
    for (auto& task : tasks) {
      failed.back().push_back(task.failed());
      if (task.failed()) CHECK(task.code().value() == SQLITE_FULL);
    }
    CHECK(batching.counter() == std::ranges::count(failed.back(), false) - count(app, batching.pool));
    check_all_clean(app, batching.pool);
  }
  CHECK(failed[0] == failed[1]);
  CHECK(std::ranges::count(failed[0], true) == 3);
}

TEST_CASE_METHOD(
    Batching, "batch: another program's lock is waited for by those who need it, each for as long as it would alone") {
  //   another program     writer
  //   BEGIN IMMEDIATE
  //                       nonsense: fails at once
  //                       inserts: waits for the lock
  //   ROLLBACK
  //                       inserts
  //                       counts up, counts up, in one transaction
  sqlite3* stranger = nullptr;
  REQUIRE(sqlite3_open(pool.path().c_str(), &stranger) == SQLITE_OK);
  REQUIRE(sqlite3_exec(stranger, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  auto nonsense = execute("nonsense");
  auto waiting = insert(1);
  std::vector<Task<ExecuteResult>> tasks{count_up(), count_up()};
  app.clock->on_read([&](int) {
    if (times(insert_text) == 1) sqlite3_exec(stranger, "ROLLBACK", nullptr, nullptr, nullptr);
  });
  app.settle();
  app.clock->on_read({});
  CHECK(nonsense.code().value() == SQLITE_ERROR);
  CHECK(waiting.get().changes == 1);
  for (auto& task : tasks) CHECK(task.get().changes == 1);
  CHECK(writes ==
        Texts{"BEGIN IMMEDIATE", "BEGIN IMMEDIATE", insert_text, "BEGIN IMMEDIATE", count_text, count_text, "COMMIT"});
  sqlite3_close(stranger);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(
    Batching, "group commit: closures that opt in share a transaction with executes; one that throws is undone alone") {
  const auto add = [](Connection& db) { return db.execute("UPDATE counter SET n = n + 1").changes; };
  const auto add_and_throw = [](Connection& db) {
    db.execute("UPDATE counter SET n = n + 1000");
    throw std::runtime_error("mine");
  };
  auto first = app.spawn(pool.write(add, {.group_commit = true}));
  auto thrower = app.spawn(pool.write(add_and_throw, {.group_commit = true}));
  auto second = count_up();
  auto third = app.spawn(pool.write(add, {.group_commit = true}));
  app.settle();
  CHECK(times("BEGIN IMMEDIATE") == 1);
  CHECK(commits == 1);
  CHECK(first.get() == 1);
  CHECK(second.get().changes == 1);
  CHECK(third.get() == 1);
  CHECK(thrower.text() == "mine");
  CHECK(counter() == 3);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching,
                 "group commit: a closure is called again, alone, when another has rolled back what they shared") {
  int calls = 0;
  const auto add = [&](Connection& db) {
    db.execute(count_text);
    return ++calls;
  };
  app.run(pool.execute("INSERT INTO t VALUES (0)"));
  auto closure = app.spawn(pool.write(add, {.group_commit = true}));
  auto culprit = execute("INSERT OR ROLLBACK INTO t VALUES (0)");
  auto after = app.spawn(pool.write(add, {.group_commit = true}));
  app.settle();
  CHECK(closure.get() == 2);  // what the call returned that counts
  CHECK(after.get() == 3);
  CHECK(culprit.code() == condition::unique);
  CHECK(counter() == 2);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(
    Batching,
    "group commit: a closure that goes on after it has rolled everything back keeps nothing, and the others all") {
  app.run(pool.execute("INSERT INTO t VALUES (0)"));
  const auto stubborn = [](Connection& db) {
    db.execute("UPDATE counter SET n = n + 1000");
    try {
      db.execute("INSERT OR ROLLBACK INTO t VALUES (0)");
    } catch (const Error&) {
    }
  };
  std::vector<Task<ExecuteResult>> tasks{count_up()};
  auto closure = app.spawn(pool.write(stubborn, {.group_commit = true}));
  tasks.push_back(count_up());
  app.settle();
  CHECK(closure.code() == errc::transaction_rolled_back);
  for (auto& task : tasks) CHECK(task.get().changes == 1);
  CHECK(counter() == 2);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "group commit: a closure that is done when its time is up has succeeded, as it has alone") {
  const auto late_but_done = [&](Connection& db) {
    db.execute(count_text);
    app.clock->advance(100ms);
  };
  auto late = app.spawn(pool.write(late_but_done, {.run_timeout = 100ms, .group_commit = true}));
  auto other = count_up();
  app.settle();
  CHECK(times("SAVEPOINT statehouse") == 1);
  CHECK(late.text() == "");
  CHECK(other.get().changes == 1);
  CHECK(counter() == 2);
}

TEST_CASE_METHOD(Batching, "group commit: write(f) without it, and execute_returning, never share") {
  const auto add = [](Connection& db) { db.execute("UPDATE counter SET n = n + 1"); };
  std::vector<Task<void>> closures;
  std::vector<Task<std::vector<int>>> returning;
  std::vector<Task<ExecuteResult>> plain;
  for (int i = 0; i < 3; ++i) {
    plain.push_back(count_up());
    returning.push_back(app.spawn(pool.execute_returning<int>("UPDATE counter SET n = n + 1 RETURNING n")));
    plain.push_back(count_up());
    closures.push_back(app.spawn(pool.write(add)));
  }
  app.settle();
  CHECK(commits == 12);
  CHECK(times("BEGIN IMMEDIATE") == 3);  // the closures' own
  for (auto& task : returning) CHECK(task.get().size() == 1);
  CHECK(counter() == 12);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching,
                 "cancel: what waits behind a running statement ends at once, with any type, and never runs") {
  //   writer                         three callers, who wait behind it
  //   first statement, in a hook
  //                                  cancelled: resumed before the hook returns
  //   first statement ends
  //   the last one
  auto first = execute("UPDATE counter SET n = n + min(1, hook())");
  std::vector<Task<ExecuteResult>> cancelled{insert(1), insert(2), insert(3)};
  auto last = insert(4);
  hook.call = [&](int) {
    cancelled[0].cancel(asio::cancellation_type::total);
    cancelled[1].cancel(asio::cancellation_type::partial);
    cancelled[2].cancel(asio::cancellation_type::terminal);
    run_callers();
    for (auto& task : cancelled) CHECK(task.completions() == 1);
  };
  app.settle();
  for (auto& task : cancelled) {
    CHECK(task.completions() == 1);
    CHECK(task.code() == aborted);
  }
  CHECK(first.get().changes == 1);
  CHECK(last.get().changes == 1);
  CHECK(rows() == std::vector{4});
  CHECK(pool.stats().writer.cancelled == 3);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "cancel: what has run is committed all the same; what runs is stopped by terminal only") {
  auto done = count_up();
  auto running = execute("UPDATE counter SET n = n + min(1, hook())");
  auto last = count_up();
  hook.call = [&](int) {
    done.cancel(asio::cancellation_type::terminal);
    running.cancel(asio::cancellation_type::total);
  };
  app.settle();
  CHECK(commits == 1);
  CHECK(done.get().changes == 1);
  CHECK(running.get().changes == 1);
  CHECK(last.get().changes == 1);
  CHECK(counter() == 3);
}

TEST_CASE_METHOD(Batching, "cancel: what has to run again is stopped then, and those who failed for its sake do not") {
  //   writer                                     the first caller
  //   inserts 1
  //   inserts 1: unique, because of the first
  //   hook                                       cancelled: too late to stop it
  //   rolls everything back
  //   inserts 1 again: stopped
  //   inserts 1 again: there is none now
  auto cancelled = insert(1);
  auto second = insert(1);
  auto culprit = execute("INSERT OR ROLLBACK INTO t SELECT min(hook(), 0) UNION ALL SELECT 0");
  auto last = count_up();
  hook.call = [&](int) { cancelled.cancel(asio::cancellation_type::terminal); };
  app.settle();
  CHECK(cancelled.code() == aborted);
  CHECK(second.text() == "");
  CHECK(culprit.code() == condition::unique);
  CHECK(last.get().changes == 1);
  CHECK(rows() == std::vector{1});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "cancel: between being taken by a thread and beginning to run is not too early") {
  //   database thread                     caller
  //   takes the operation
  //                                       cancelled
  //   runs it: stopped at once
  auto lease = app.run(pool.acquire(reader));
  auto task = app.spawn(lease.query_one<int>(endless_hook));
  app.clock->on_read([&](int reading) {
    if (reading == 2) task.cancel(asio::cancellation_type::terminal);  // the first is under the lane's mutex
  });
  app.settle();
  app.clock->on_read({});
  CHECK(task.code() == aborted);
  CHECK(hook.calls < 10'000);
}

TEST_CASE_METHOD(Batching, "acquire timeout: strikes what waits while another statement runs") {
  //   writer                          two callers, who wait behind it
  //   first statement, in a hook
  //                                   1 s: the first is told who holds the connection
  //   first statement ends
  //                                   the second runs
  auto first = execute("UPDATE counter SET n = n + min(1, hook())");
  auto impatient = app.spawn(pool.execute({.timeout = 1s}, insert_text, 1));
  auto patient = insert(2);
  hook.call = [&](int) {
    app.clock->advance(1s);
    run_callers();
    CHECK(impatient.completions() == 1);
    CHECK(!patient.done());
    CHECK(pool.stats().writer.waiting == 1);
  };
  app.settle();
  CHECK(impatient.code() == errc::acquire_timeout);
  CHECK(contains(impatient.text(), "held by execute at batch_fixture.hpp:"));
  CHECK(first.get().changes == 1);
  CHECK(patient.get().changes == 1);
  CHECK(rows() == std::vector{2});
  CHECK(pool.stats().writer.acquire_timeouts == 1);
  check_all_clean(app, pool);
}

TEST_CASE("single mode: reads and writes that wait together run in their order, each kind in its own transaction") {
  PoolOptions options = Batching::one_reader();
  options.mode = pool_mode::single;
  Batching single(options);
  const auto read = [&] { return single.app.spawn(single.pool.query_one<int>("SELECT count(*) FROM t")); };
  auto none = read();
  auto first = single.insert(1);
  auto second = single.insert(2);
  auto two = read();
  auto also_two = read();
  auto refused = single.app.spawn(single.pool.query_all<int>("DELETE FROM t RETURNING a"));
  auto third = single.insert(3);
  single.app.settle();
  const std::string read_text = "SELECT count(*) FROM t";
  CHECK(single.writes == Texts{read_text, "BEGIN IMMEDIATE", insert_text, insert_text, "COMMIT", "BEGIN", read_text,
                               read_text, "COMMIT", insert_text});
  CHECK(none.get() == 0);
  CHECK(two.get() == 2);
  CHECK(also_two.get() == 2);
  CHECK(refused.code() == errc::write_on_reader);
  CHECK(third.get().changes == 1);
  CHECK(single.rows() == std::vector{1, 2, 3});
  CHECK(first.done());
  CHECK(second.done());
}

/// What is in the file after shutdown, read by another program.
int read_file(const std::filesystem::path& path, const char* sql) {
  SQLite::Database file(path.string(), SQLite::OPEN_READWRITE);
  return file.execAndGet(sql).getInt();
}

TEST_CASE_METHOD(
    Batching,
    "shutdown: in the middle of a batch; what has begun is kept, what has not is refused at once, nothing hangs") {
  //   writer                           callers                       shutdown
  //   counts up
  //   counts up, in a hook
  //                                                                  begins
  //                                    two are refused
  //   ends (in time or not), COMMIT
  //                                    two succeed
  //                                                                  done
  const auto lasts = GENERATE(0ms, 3ms);
  CAPTURE(lasts.count());
  std::vector<Task<ExecuteResult>> kept{count_up(), execute("UPDATE counter SET n = n + min(1, hook())")};
  std::vector<Task<ExecuteResult>> refused{count_up(), count_up()};
  std::optional<Task<ShutdownReport>> ending;
  hook.call = [&](int) {
    ending = app.spawn(app.state->shutdown());
    for (auto& task : refused) CHECK(task.completions() == 1);
    app.clock->advance(lasts);
  };
  app.settle();
  REQUIRE(ending.has_value());
  REQUIRE(ending->done());
  for (auto& task : kept) CHECK(task.get().changes == 1);
  for (auto& task : refused) CHECK(task.code() == errc::closed);
  CHECK(read_file(pool.path(), "SELECT n FROM counter") == 2);
}

TEST_CASE_METHOD(Batching,
                 "shutdown: interrupts a batch for good; what was acknowledged is in the file, and nothing else") {
  //   writer                               shutdown
  //   inserts 1, is acknowledged
  //   counts up; inserts for ever
  //                                        begins, waits, interrupts
  //   everything is rolled back; to count up again is refused
  //                                        done
  app.run(pool.execute(insert_text, -1));
  auto undone = count_up();
  auto stopped = execute(insert_endless);
  auto never = count_up();
  std::optional<Task<ShutdownReport>> ending;
  hook.call = [&](int number) {
    if (number == 1) ending = app.spawn(app.state->shutdown());
    if (number == 2) app.clock->advance(1h);
    run_callers();
  };
  app.settle();
  CHECK(hook.calls < 10'000);
  REQUIRE(ending.has_value());
  REQUIRE(ending->done());
  CHECK(undone.code() == errc::closed);
  CHECK(stopped.code() == errc::closed);
  CHECK(never.code() == errc::closed);
  CHECK(read_file(pool.path(), "SELECT n FROM counter") == 0);
  CHECK(read_file(pool.path(), "SELECT count(*) FROM t") == 1);
}

TEST_CASE_METHOD(Batching, "resume: a completion handler that throws does not lose the others of its batch") {
  const bool on_strand = GENERATE(true, false);  // there the exception passes through; an io_context keeps it for later
  CAPTURE(on_strand);
  const asio::any_io_executor executor =
      on_strand ? asio::any_io_executor(asio::make_strand(app.io)) : app.io.get_executor();
  Spawner spawn;
  std::vector<Task<ExecuteResult>> tasks{spawn(executor, pool.execute(insert_text, 1))};
  asio::co_spawn(executor, pool.execute(insert_text, 2),
                 [](std::exception_ptr, ExecuteResult) { throw std::runtime_error("a handler's own"); });
  for (const int value : {3, 4}) tasks.push_back(spawn(executor, pool.execute(insert_text, value)));
  run_callers();
  app.step_db();
  int thrown = 0;
  for (bool more = true; more;) {
    try {
      more = app.step_io();
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  CHECK(thrown == 1);
  for (auto& task : tasks) CHECK(task.completions() == 1);
  CHECK(rows() == std::vector{1, 2, 3, 4});
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Batching, "resume: callers on different executors in one batch each go on on their own") {
  asio::io_context other;
  const auto strand = asio::make_strand(app.io);
  Spawner spawn;
  bool on_strand = false;
  auto here = insert(1);
  auto there = spawn(other.get_executor(), pool.execute(insert_text, 2));
  auto stranded = spawn(strand, [&]() -> asio::awaitable<void> {
    co_await pool.execute(insert_text, 3);
    on_strand = strand.running_in_this_thread();
  });
  auto here_again = insert(4);
  auto there_again = spawn(other.get_executor(), pool.execute(insert_text, 5));
  other.poll();
  run_callers();
  app.step_db();
  CHECK(times("COMMIT") == 1);
  run_callers();
  CHECK(here.done());
  CHECK(here_again.done());
  CHECK(stranded.done());
  CHECK(on_strand);
  CHECK(!there.done());
  CHECK(!there_again.done());
  other.restart();
  other.run();
  CHECK(there.completions() == 1);
  CHECK(there_again.completions() == 1);
}

TEST_CASE(
    "resume: a context that is destroyed with completions it has not run leaks nothing, and its leases come back") {
  const auto witness = std::make_shared<int>();
  {
    Batching batching;
    auto io = std::make_unique<asio::io_context>();
    Spawner spawn;
    const auto hold = [&, witness]() -> asio::awaitable<void> {
      const auto mine = witness;
      co_await batching.pool.execute(insert_text, 1);
    };
    for (int i = 0; i < 3; ++i) spawn(io->get_executor(), hold);
    io->poll();
    batching.app.step_db();
    CHECK(witness.use_count() > 3);
    io.reset();
    CHECK(batching.rows() == std::vector{1});
    check_all_clean(batching.app, batching.pool);
  }
  CHECK(witness.use_count() == 1);
}

}  // namespace
}  // namespace statehouse::test
