// Who gets a connection of a lane, when, and who is refused.

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

struct Order : LaneTest {};

struct TwoReaders : LaneTest {
  TwoReaders() : LaneTest(connection_role::reader, 2) {}
};

TEST_CASE_METHOD(Order, "order: operations of every kind run in the order in which they came, one has the connection") {
  Caller& holder = begin();
  settle();
  REQUIRE(holder.lease);
  ask(kinds::lone_statement, "first");
  call(kinds::transaction, [this](Connection& connection) {
    engine.ran.emplace_back("closure");
    CHECK(detail::session_of(connection).in_transaction());
  });
  Caller& next = acquire();
  ask(kinds::lone_statement, "last");
  settle();
  CHECK(lane->stats().waiting == 4);
  commit(holder);
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "COMMIT", "first", "BEGIN IMMEDIATE", "closure", "COMMIT"});
  CHECK(lane->stats().waiting == 1);
  REQUIRE(next.lease);
  next.lease.reset();
  settle();
  CHECK(engine.ran.back() == "last");
  check_all_clean();
}

TEST_CASE_METHOD(TwoReaders, "order: an idle connection is handed over at once, without a database thread") {
  Caller& first = acquire();
  Caller& second = acquire();
  Caller& third = acquire();
  run_callers();
  CHECK(first.lease);
  CHECK(second.lease);
  CHECK(first.lease.ref().slot != second.lease.ref().slot);
  CHECK_FALSE(third.done());
  second.lease.reset();
  run_callers();
  CHECK(third.lease);
  first.lease.reset();
  third.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(TwoReaders, "order: connections are handed out in turn") {
  std::vector<const detail::Slot*> slots;
  for (int i = 0; i < 4; ++i) {
    Caller& one = acquire();
    run_callers();
    slots.push_back(one.lease.ref().slot);
    one.lease.reset();
  }
  CHECK(slots[0] != slots[1]);
  CHECK(slots[0] == slots[2]);
  CHECK(slots[1] == slots[3]);
}

TEST_CASE("order: what is above the limit of the queue is refused at once, and what waits is not") {
  PoolOptions options;
  options.max_waiting = 2;
  LaneTest test(connection_role::writer, 1, options);
  Caller& holder = test.acquire();
  Caller& first = test.ask("first");
  test.ask("second");
  Caller& refused = test.ask("third");
  test.settle();
  CHECK(refused.text() == "database 'test': 2 operations wait for a writer already");
  CHECK(refused.code() == errc::queue_full);
  CHECK(test.lane->stats().rejected == 1);
  CHECK_FALSE(first.done());
  holder.lease.reset();
  test.check_all_clean();
}

TEST_CASE_METHOD(Order,
                 "order: an operation from within a closure of the pool is refused, one of another pool is not") {
  Caller& holder = acquire();
  settle();
  Caller* inner = nullptr;
  ask_on(holder, kinds::transaction, "", [&](Connection&) {
    inner = &ask("inner");
    const std::shared_ptr<int> stranger = std::make_shared<int>();
    context.owner = stranger;  // as if this lane belonged to another pool
    ask("other");
    context.owner = owner;
  });
  settle();
  REQUIRE(inner != nullptr);
  CHECK(inner->code() == errc::would_deadlock);
  CHECK(lane->stats().waiting == 1);
  Caller* on_lease = nullptr;
  ask_on(holder, kinds::statement, "", [&](Connection&) { on_lease = &ask_on(holder, kinds::statement, "again"); });
  settle();
  REQUIRE(on_lease != nullptr);
  CHECK(on_lease->code() == errc::would_deadlock);
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Order, "order: in a forked child every operation is refused and nothing is given back") {
  Caller& holder = acquire();
  settle();
  ++context.generation;
  Caller& plain = ask("plain");
  Caller& on_lease = ask_on(holder, kinds::statement, "on lease");
  Caller& inlined = caller(request(kinds::statement), "inline");
  CHECK_FALSE(lane->run_inline(inlined));
  lane->submit(inlined);
  settle();
  for (const Caller* one : {&plain, &on_lease, &inlined}) {
    CHECK(one->code() == errc::forked_process);
    CHECK(one->text() == "database 'test': called in a forked child: make a new AppState there");
  }
  holder.lease.reset();
  CHECK(lane->stats().in_use == 1);
  CHECK(engine.ran.empty());
  --context.generation;
}

TEST_CASE_METHOD(Order, "order: after 256 operations the database thread is left to others, and the rest still runs") {
  const int number = 300;
  for (int i = 0; i < number; ++i) ask(kinds::lone_statement, "one");
  REQUIRE(step_db());
  CHECK(engine.times("one") == 256);
  REQUIRE(step_db());
  CHECK(engine.times("one") == number);
  check_all_clean();
}

TEST_CASE_METHOD(Order, "order: at the end of a turn a lane that is closed needs no thread any more") {
  engine.scripts["last"].call = [this] { lane->close(std::make_exception_ptr(Error(errc::closed, "over"))); };
  for (int i = 0; i < 255; ++i) ask(kinds::lone_statement, "one");
  ask(kinds::lone_statement, "last");
  REQUIRE(step_db());
  CHECK(engine.times("last") == 1);
  CHECK(lane->parked());
  CHECK_FALSE(step_db());
}

TEST_CASE_METHOD(Order, "inline: a query runs on the calling thread when its connection is idle and has it prepared") {
  Caller& unprepared = caller(request(kinds::statement), "query");
  CHECK_FALSE(lane->run_inline(unprepared));
  lane->submit(unprepared);
  settle();
  CHECK(unprepared.done());
  engine.scripts["query"].rows = {7};
  Caller inlined(request(kinds::statement), "query", nullptr);
  CHECK(lane->run_inline(inlined));
  CHECK(inlined.rows == std::vector<std::int64_t>{7});
  Caller& holder = acquire();
  Caller late(request(kinds::statement), "query", nullptr);
  CHECK_FALSE(lane->run_inline(late));
  run_callers();
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(
    Order,
    "inline: what gives up for taking long has done nothing, runs on a database thread, and is not tried again") {
  writes("query");
  ask("query");
  settle();
  engine.scripts["query"].heavy = true;
  engine.kept.clear();
  Caller& one = caller(request(kinds::statement), "query");
  CHECK_FALSE(lane->run_inline(one));
  CHECK(one.text() == "");
  lane->submit(one);
  settle();
  CHECK(one.text() == "");
  CHECK(engine.kept == Texts{"query"});
  engine.scripts["query"].heavy = false;
  Caller again(request(kinds::statement), "query", nullptr);
  CHECK_FALSE(lane->run_inline(again));
  check_all_clean();
}

TEST_CASE_METHOD(Order, "inline: what a query has left behind is gone when it returns") {
  ask("query");
  settle();
  Caller one(request(kinds::statement), "query",
             [](Connection& connection) { detail::session_of(connection).begin(detail::transaction_kind::deferred); });
  CHECK(lane->run_inline(one));
  CHECK(engine.ran == Texts{"query", "BEGIN", "ROLLBACK"});
  CHECK_FALSE(step_db());
  check_all_clean();
}

TEST_CASE_METHOD(Order, "stats: an operation counts once, with its wait and its run, and a failed one as failed") {
  engine.scripts["slow"].call = [&] { clock->advance(5ms); };
  engine.scripts["fails"].fails = sql_ioerr;
  ask("slow");
  ask("fails");
  clock->advance(10ms);
  settle();
  const LaneStats stats = lane->stats();
  CHECK(stats.completed == 2);
  CHECK(stats.failed == 1);
  CHECK(stats.compiled == 2);
  CHECK(stats.connections == 1);
  CHECK(stats.wait_time() == 25ms);
  CHECK(stats.run_time() == 5ms);
  CHECK(lane->last_error() == "database 'test': as scripted (SQLite 10) [fails]");
}

TEST_CASE("log: what waits or runs for long is logged with its verb and place, and so is a lease, once") {
  PoolOptions options;
  options.slow_acquire = 10ms;
  options.slow_statement = 20ms;
  options.long_lease = 30ms;
  LaneTest test(connection_role::writer, 1, options);
  test.engine.scripts["slow"].call = [&] { test.clock->advance(20ms); };
  Caller& holder = test.acquire();
  test.ask("slow");
  test.settle();
  test.clock->advance(29ms);
  test.lane->report_long_leases();
  CHECK(test.log.count("held by") == 0);
  test.clock->advance(1ms);
  for (int i = 0; i < 2; ++i) test.lane->report_long_leases();
  CHECK(test.log.count("database 'test': writer connection held by execute at lane_fixture.hpp:") == 1);
  CHECK(test.log.count(" for 30 ms, running nothing") == 1);
  holder.lease.reset();
  test.settle();
  CHECK(test.log.count(" waited 30 ms for a writer connection") == 1);
  CHECK(test.log.count(" ran 20 ms: slow") == 1);
}

TEST_CASE("log: a slow closure, which has no statement of its own, is logged without a colon before nothing") {
  PoolOptions options;
  options.slow_statement = 20ms;
  LaneTest test(connection_role::writer, 1, options);
  test.call(kinds::transaction, [&](Connection&) { test.clock->advance(20ms); });
  test.settle();
  CHECK(test.log.count(" ran 20 ms") == 1);
  CHECK(test.log.count(" ran 20 ms:") == 0);
}

}  // namespace
}  // namespace statehouse::test
