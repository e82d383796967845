// Connections that callers hold.

#include <catch2/generators/catch_generators.hpp>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

struct Leases : LaneTest {
  Leases() { writes("a"); }

  Caller& has(Caller& one) {
    settle();
    REQUIRE(one.lease);
    return one;
  }
};

TEST_CASE_METHOD(Leases, "transaction: its statements run between BEGIN and its COMMIT, with which the lease ends") {
  Caller& holder = has(begin());
  Caller& waiting = ask("next");
  ask_on(holder, kinds::in_transaction, "a");
  settle();
  ask_on(holder, kinds::in_transaction, "a");
  settle();
  CHECK(engine.kept.empty());
  CHECK_FALSE(waiting.done());
  commit(holder);
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "a", "COMMIT", "next"});
  CHECK(engine.kept == Texts{"a", "a"});
  Caller& late = ask_on(holder, kinds::in_transaction, "a");
  settle();
  CHECK(late.code() == errc::transaction_finished);
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "transaction: dropped without a commit it is rolled back before the next one runs") {
  Caller& holder = has(begin());
  ask_on(holder, kinds::in_transaction, "a");
  Caller& waiting = ask("next");
  settle();
  holder.lease.reset();
  settle();
  CHECK(waiting.done());
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "ROLLBACK", "next"});
  CHECK(engine.kept.empty());
  CHECK(lane->stats().rolled_back == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "transaction: one that the engine has rolled back refuses what comes, but can be ended") {
  engine.scripts["culprit"].ends_transaction = true;
  engine.scripts["culprit"].fails = sql_constraint;
  Caller& holder = has(begin());
  ask_on(holder, kinds::in_transaction, "culprit");
  settle();
  bool called = false;
  Caller& late = ask_on(holder, kinds::in_transaction, "", [&](Connection&) { called = true; });
  settle();
  CHECK(late.code() == errc::transaction_rolled_back);
  CHECK_FALSE(called);
  Caller& ended = commit(holder);
  settle();
  CHECK(ended.code() == errc::transaction_rolled_back);
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "transaction: BEGIN that fails gives no lease and leaves the connection to the next") {
  engine.locked = true;
  Caller& fails = begin();
  Caller& next = ask("next");
  settle();
  CHECK(fails.code() == condition::busy);
  CHECK_FALSE(fails.lease);
  CHECK(next.text() == "");
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: outside a transaction each operation has its own bracket, and leaves nothing behind") {
  Caller& holder = has(acquire());
  ask_on(holder, kinds::statement, "a");
  settle();
  ask_on(holder, kinds::transaction, "a");
  settle();
  ask_on(holder, kinds::maintenance, "vacuum");
  settle();
  ask_on(holder, kinds::statement, "",
         [](Connection& connection) { detail::session_of(connection).begin(detail::transaction_kind::immediate); });
  settle();
  CHECK(engine.ran ==
        Texts{"a", "BEGIN IMMEDIATE", "a", "COMMIT", "vacuum", "restore settings", "BEGIN IMMEDIATE", "ROLLBACK"});
  CHECK(lane->stats().rolled_back == 1);
  CHECK(lane->holders().size() == 1);
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: one operation at a time; a second one is refused, the first goes on") {
  Caller& holder = has(acquire());
  Caller& first = ask_on(holder, kinds::statement, "first");
  Caller& second = ask_on(holder, kinds::statement, "second");
  settle();
  CHECK(first.text() == "");
  CHECK(second.code() == errc::operation_in_progress);
  CHECK(engine.ran == Texts{"first"});
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: one that never was is refused, and one that was moved from") {
  const auto submit = [&](const detail::LeaseHandle& lease) -> Caller& {
    Caller& one = caller(request(kinds::statement), "a");
    detail::submit(lease.ref(), one);
    settle();
    return one;
  };
  CHECK(submit(detail::LeaseHandle()).code() == errc::invalid_handle);
  Caller& holder = has(acquire());
  const detail::LeaseHandle other = std::move(holder.lease);
  CHECK(submit(holder.lease).code() == errc::transaction_finished);  // NOLINT(bugprone-use-after-move): the point
  CHECK(submit(holder.lease).text() == "execute on a transaction or lease that was finished, given back or moved from");
  CHECK(submit(other).text() == "");
}

TEST_CASE_METHOD(Leases, "lease: a stale one is refused, whoever has the connection now") {
  Caller& first = has(begin());
  commit(first);
  settle();
  Caller& second = has(acquire());
  Caller& late = ask_on(first, kinds::statement, "late");
  settle();
  CHECK(late.code() == errc::transaction_finished);
  CHECK(engine.times("late") == 0);
  Caller& own = ask_on(second, kinds::statement, "own");
  settle();
  CHECK(own.text() == "");
  second.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: the wait for it counts, and not what its holder does with it") {
  Caller& holder = has(acquire());
  Caller& next = acquire();
  clock->advance(2s);
  holder.lease.reset();
  run_callers();
  REQUIRE(next.lease);
  clock->advance(5s);
  CHECK(lane->stats().wait_time() == 2s);
  CHECK(lane->stats().completed == 2);
  CHECK(log.count("execute at lane_fixture.hpp:") == 1);
  CHECK(log.count(" waited 2000 ms for a writer connection") == 1);
  cancel(next);  // it has what it wanted
  CHECK(lane->stats().cancelled == 0);
  next.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: given back while an operation waits or runs, it goes to the next after that one") {
  const bool runs = GENERATE(false, true);
  CAPTURE(runs);
  Caller& holder = has(acquire());
  Caller& next = acquire();
  Caller& one = ask_on(holder, kinds::statement, "one");
  if (runs) {
    engine.scripts["one"].call = [&] { elsewhere([&] { holder.lease.reset(); }); };
  } else {
    holder.lease.reset();
  }
  CHECK_FALSE(next.done());
  settle();
  CHECK(one.text() == "");
  CHECK(next.lease);
  next.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Leases,
                 "lease: what waits on it is cancelled at once, and the lease goes on, or back if it was dropped") {
  const bool dropped = GENERATE(false, true);
  CAPTURE(dropped);
  Caller& holder = has(acquire());
  Caller& waiting = ask_on(holder, kinds::statement, "never");
  if (dropped) holder.lease.reset();
  cancel(waiting, asio::cancellation_type::total);
  run_callers();
  CHECK(waiting.code() == aborted);
  CHECK(lane->stats().in_use == (dropped ? 0 : 1));
  settle();  // the thread that was on its way finds nothing
  if (!dropped) {
    Caller& again = ask_on(holder, kinds::statement, "again");
    settle();
    CHECK(again.text() == "");
    holder.lease.reset();
  }
  CHECK(engine.times("never") == 0);
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: of two threads on their way, one for a cancelled operation, one runs the later one") {
  Caller& holder = has(acquire());
  Caller& cancelled = ask_on(holder, kinds::statement, "never");
  cancel(cancelled);
  run_callers();
  ask_on(holder, kinds::statement, "later");
  REQUIRE(step_db());
  CHECK(engine.ran == Texts{"later"});
  settle();
  CHECK(engine.ran == Texts{"later"});
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: whose caller is gone before it hears of it, is given back with the operation") {
  std::optional<asio::io_context> callers_own(std::in_place);
  {
    const auto gone = std::make_shared<Caller>(request(kinds::acquire), "", nullptr);
    gone->hold(asio::bind_executor(callers_own->get_executor(), [gone] {}));
    lane->submit(*gone);
  }
  CHECK(lane->stats().in_use == 1);
  callers_own.reset();  // with the handler, which owns the operation
  CHECK(lane->stats().in_use == 0);
  check_all_clean();
}

TEST_CASE_METHOD(Leases, "lease: it keeps the owner of the lane alive") {
  Caller& holder = has(acquire());
  const std::weak_ptr<int> watched = owner;
  owner.reset();
  CHECK_FALSE(watched.expired());
  holder.lease.reset();
  CHECK(watched.expired());
}

TEST_CASE_METHOD(Leases,
                 "writer: what is due is done between two operations, when those before have heard of their end") {
  const auto write = [&] { engine.is_due = true; };
  engine.scripts["a"].call = write;
  Caller& first = ask(kinds::lone_statement, "a");
  Caller& second = ask(kinds::lone_statement, "b");
  engine.on_before_next = [&](detail::ReaderGate*) {
    run_callers();
    if (engine.times("checkpoint") == 1 && engine.times("b") == 0) CHECK(first.done());
  };
  settle();
  CHECK(second.done());
  CHECK(engine.ran == Texts{"a", "checkpoint", "b"});
  // Also when nobody waits, or a lease made it due.
  ask("a");
  settle();
  CHECK(engine.ran == Texts{"a", "checkpoint", "b", "a", "checkpoint"});
  Caller& holder = has(begin());
  ask_on(holder, kinds::in_transaction, "a");
  settle();
  CHECK(engine.times("checkpoint") == 2);
  commit(holder);
  settle();
  CHECK(engine.times("checkpoint") == 3);
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
