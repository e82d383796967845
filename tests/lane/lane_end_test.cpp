// Operations held back, connections replaced, and the end of a lane.

#include <catch2/generators/catch_generators.hpp>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

using state = detail::Slot::state;

struct Readers : LaneTest {
  Readers() : LaneTest(connection_role::reader, 2) {}
};

struct Writer : LaneTest {
  const std::exception_ptr over = std::make_exception_ptr(Error(errc::closed, "over"));

  void close() { lane->close(over); }
};

TEST_CASE_METHOD(Readers, "hold back: nothing begins until it is open again, but what has a lease goes on") {
  Caller& holder = acquire();
  run_callers();
  REQUIRE(lane->hold_back(0ms));  // a lease that runs nothing is not in the way
  Caller& query = ask("query");
  Caller& lease = acquire();
  Caller inlined(request(kinds::statement), "query", nullptr);
  CHECK_FALSE(lane->run_inline(inlined));
  Caller& on_lease = ask_on(holder, kinds::statement, "on lease");
  settle();
  CHECK(on_lease.done());
  CHECK_FALSE(query.done());
  CHECK_FALSE(lease.done());
  CHECK(lane->stats().waiting == 2);
  lane->open_again();
  settle();
  CHECK(query.done());
  CHECK(lease.lease);
  for (Caller* one : {&holder, &lease}) one->lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Readers, "hold back: what waits alone begins when it is open again") {
  REQUIRE(lane->hold_back(0ms));
  Caller& query = ask("query");
  lane->open_again();
  settle();
  CHECK(query.done());
}

TEST_CASE_METHOD(Readers,
                 "hold back: waits for what runs, in the queue's turn or on a lease, and tells when it cannot") {
  const bool on_lease = GENERATE(false, true);
  CAPTURE(on_lease);
  Caller& holder = acquire();
  run_callers();
  bool free = true;
  std::vector<Holder> holders;
  engine.scripts["slow"].call = [&] {
    elsewhere([&] {
      free = lane->hold_back(0ms);
      holders = lane->holders();
    });
  };
  on_lease ? ask_on(holder, kinds::statement, "slow") : ask("slow");
  ask("behind");
  settle();
  CHECK_FALSE(free);
  CHECK(std::ranges::count(holders, true, &Holder::running) == 1);
  CHECK(engine.times("behind") == 0);  // a batch takes nothing more
  CHECK(lane->hold_back(0ms));
  lane->open_again();
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(
    Readers, "hold back: a reader that becomes free, or whose holder runs nothing any more, tells the one who waits") {
  const bool on_lease = GENERATE(false, true);
  CAPTURE(on_lease);
  for (int i = 0; i < 2; ++i) {  // both have it prepared
    ask("query");
    settle();
  }
  Caller* const holder = on_lease ? &acquire() : nullptr;
  run_callers();
  std::jthread waits;
  bool free = false;
  engine.scripts["slow"].call = [&] {
    waits = std::jthread([&] { free = lane->hold_back(24h); });  // at the end of which it would look by itself
    elsewhere([&] {
      const auto runs = [&] {
        Caller probe(request(kinds::statement), "query", nullptr);
        return lane->run_inline(probe);
      };
      while (runs()) std::this_thread::yield();  // not held back yet
    });
  };
  on_lease ? ask_on(*holder, kinds::statement, "slow") : ask("slow");
  step_db();
  waits.join();
  CHECK(free);
  lane->open_again();
  if (on_lease) holder->lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Writer, "close: refuses what waits and what comes, what runs comes to its end") {
  Caller* late = nullptr;
  engine.scripts["slow"].call = [&] {
    close();
    elsewhere([&] { late = &ask("late"); });
    run_callers();
    CHECK(callers[1].code() == errc::closed);
    CHECK_FALSE(lane->parked());
  };
  Caller& running = ask("slow");
  ask("never");
  settle();
  CHECK(running.text() == "");
  REQUIRE(late != nullptr);
  CHECK(late->code() == errc::closed);
  CHECK(engine.times("never") + engine.times("late") == 0);
  CHECK(engine.times("COMMIT") == 1);
  CHECK(lane->parked());
  CHECK(parked == 1);
}

TEST_CASE_METHOD(Writer, "close: parks what is idle or about to begin; a thread on its way finds nothing to do") {
  ask("never");
  close();
  CHECK(lane->parked());
  settle();
  CHECK(engine.ran.empty());
  CHECK(callers[0].code() == errc::closed);
  CHECK(clock->armed() == 0);
  CHECK(parked == 0);
  close();  // once more changes nothing
}

TEST_CASE_METHOD(Writer, "close: a lease goes on until it is given back") {
  Caller& holder = begin();
  settle();
  close();
  Caller& one = ask_on(holder, kinds::in_transaction, "one");
  settle();
  CHECK(one.text() == "");
  CHECK_FALSE(lane->parked());
  commit(holder);
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "one", "COMMIT"});
  CHECK(lane->parked());
  CHECK(parked == 1);
}

TEST_CASE_METHOD(Writer,
                 "close: between BEGIN and the lease is early enough; the caller hears of it and has no lease") {
  Caller& holder = call(kinds::begin, [&](Connection&) { close(); });
  settle();
  CHECK(holder.code() == errc::closed);
  CHECK_FALSE(holder.lease);
  CHECK(lane->parked());
}

TEST_CASE_METHOD(Writer, "interrupt: stops what runs, and nothing of it is kept") {
  FakeScript& endless = engine.scripts["endless"];
  endless.endless = true;
  endless.writes = true;
  endless.call = [&] {
    close();
    lane->interrupt();
  };
  writes("a");
  Caller& first = ask("a");
  Caller& stopped = ask("endless");
  settle();
  CHECK(stopped.code() == errc::closed);
  CHECK(first.code() == errc::closed);  // it had to run again, which nothing does any more
  CHECK(engine.kept.empty());
  CHECK(lane->parked());
}

TEST_CASE_METHOD(Writer, "interrupt: takes leases back, refuses what waits on them, and stops what runs on them") {
  const auto phase = GENERATE(state::leased_idle, state::leased_waiting, state::leased_running);
  CAPTURE(int(phase));
  Caller& holder = begin();
  settle();
  FakeScript& endless = engine.scripts["endless"];
  endless.endless = true;
  endless.call = [&] { lane->interrupt(); };
  Caller* one = phase == state::leased_idle ? nullptr : &ask_on(holder, kinds::in_transaction, "endless");
  close();
  if (phase != state::leased_running) lane->interrupt();
  settle();
  CHECK(lane->parked());
  CHECK(parked >= 1);
  if (one != nullptr) CHECK(one->code() == errc::closed);
  CHECK(engine.times("endless") == (phase == state::leased_running ? 1 : 0));
  Caller& late = ask_on(holder, kinds::in_transaction, "late");
  settle();
  CHECK(late.code() == errc::closed);
  holder.lease.reset();  // stale: changes nothing
  CHECK(parked <= 2);
  lane->close_connections();
  CHECK(engine.times("ROLLBACK") == 1);
  CHECK(engine.ran.back() == "last checkpoint");
  CHECK(engine.closed == engine.opened);
}

TEST_CASE_METHOD(Writer, "hygiene: what an operation has left behind is undone before its caller hears of its end") {
  const auto leaves_open = [](Connection& connection) {
    detail::session_of(connection).begin(detail::transaction_kind::immediate);
  };
  Caller* one = nullptr;
  int undone = 0;
  engine.on_rollback = [&] {
    run_callers();
    CHECK_FALSE(one->done());
    ++undone;
  };
  one = &call(kinds::lone_statement, leaves_open);
  settle();
  CHECK(one->done());
  Caller& holder = acquire();
  settle();
  one = &ask_on(holder, kinds::statement, "", leaves_open);
  settle();
  CHECK(one->done());
  CHECK(undone == 2);
  CHECK(lane->stats().rolled_back == 2);
  holder.lease.reset();
  engine.on_rollback = {};
  check_all_clean();
}

TEST_CASE_METHOD(Writer,
                 "replacement: a connection that cannot be cleaned is closed, and the next one gets a new one") {
  engine.scripts["breaks"].breaks = true;
  Caller& breaks = ask(kinds::lone_statement, "breaks");
  Caller& next = ask("next");
  settle();
  CHECK(breaks.text() == "");
  CHECK(next.text() == "");
  CHECK(engine.opened == 2);
  CHECK(engine.closed == 1);
  CHECK(lane->stats().replaced == 1);
  CHECK(lane->stats().connections == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Writer, "replacement: while none can be opened each operation hears why; later all is well") {
  engine.scripts["breaks"].breaks = true;
  ask(kinds::lone_statement, "breaks");
  engine.opens = false;
  Caller& plain = ask("plain");
  Caller& lease = acquire();
  settle();
  Caller& transaction = begin();
  settle();
  Caller& later_lease = acquire();
  settle();
  for (const Caller* one : {&plain, &lease, &transaction, &later_lease}) {
    CHECK(one->text() == "cannot open now (SQLite 14)");
    CHECK_FALSE(one->lease);
  }
  engine.opens = true;
  check_all_clean();
}

TEST_CASE_METHOD(Writer, "replacement: a lease goes on with a new connection, or hears why not") {
  engine.scripts["breaks"].breaks = true;
  Caller& holder = acquire();
  ask_on(holder, kinds::statement, "breaks");
  settle();
  REQUIRE(holder.lease);
  ask_on(holder, kinds::statement, "breaks");
  settle();
  engine.opens = false;
  Caller& fails = ask_on(holder, kinds::statement, "one");
  settle();
  CHECK(fails.text() == "cannot open now (SQLite 14)");
  engine.opens = true;
  Caller& works = ask_on(holder, kinds::statement, "one");
  settle();
  CHECK(works.text() == "");
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Readers, "replacement: a reader that cannot be opened takes nothing from one that works") {
  //   reader 1                      reader 2
  //                                 broken
  //   takes slow, begins
  //                                 cannot be opened: leaves what waits to the other
  //   slow ends; takes the rest
  ask("query");
  settle();
  engine.opens = false;
  engine.scripts["breaks"].breaks = true;
  ask("breaks");
  settle();
  REQUIRE(lane->stats().replaced == 1);
  engine.scripts["slow"].call = [&] {
    elsewhere([&] {
      while (step_db()) {
      }
    });
  };
  ask("slow");
  Caller& behind = ask("query");
  Caller& lease = acquire();
  Caller& last = ask("query");
  settle();
  CHECK(behind.text() == "");
  CHECK(lease.lease);
  CHECK(last.text() == "cannot open now (SQLite 14)");  // the working one is somebody's: nobody else is there
  lease.lease.reset();
  engine.opens = true;
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
