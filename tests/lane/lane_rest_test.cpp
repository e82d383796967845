// Connections that are opened when they are needed, closed when nobody uses them, and a lane that sleeps without any.

#include <catch2/generators/catch_generators.hpp>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

/// None of its connections is open at first.
struct Rested : LaneTest {
  Rested() : LaneTest(connection_role::reader, 2) {
    REQUIRE(lane->fall_asleep());
    lane->close_connections();
    lane->wake_up();
    REQUIRE(open() == 0);
  }

  std::size_t open() const { return lane->stats().connections; }
};

TEST_CASE_METHOD(Rested, "open: when an operation comes, and another one only when all that are open are busy") {
  for (int i = 0; i < 3; ++i) {
    ask("one at a time");
    settle();
    CHECK(open() == 1);
  }
  Caller& held = acquire();
  run_callers();
  REQUIRE(held.lease);
  ask("beside it");
  settle();
  CHECK(open() == 2);
  CHECK(lane->stats().max_connections == 2);
  held.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Rested, "open: nothing runs on a calling thread for which one would have to be opened") {
  Caller inlined(request(kinds::statement), "query", nullptr);
  CHECK_FALSE(lane->run_inline(inlined));
  CHECK(open() == 0);
}

TEST_CASE_METHOD(Rested, "quiet: a connection that was not used for the time is closed, one that was used is not") {
  Caller& first = acquire();
  Caller& second = acquire();
  settle();
  first.lease.reset();
  second.lease.reset();
  REQUIRE(open() == 2);
  lane->close_quiet(60s);
  clock->advance(59s);
  ask("uses one of them");
  settle();
  lane->close_quiet(60s);
  clock->advance(1s);
  lane->close_quiet(60s);
  settle();
  CHECK(open() == 1);
  CHECK_FALSE(lane->quiet_for(60s));
  clock->advance(60s);
  CHECK(lane->quiet_for(60s));
  lane->close_quiet(60s);
  settle();
  CHECK(open() == 0);
  CHECK_FALSE(lane->any_open());
  check_all_clean();
}

TEST_CASE_METHOD(Rested, "quiet: who comes while a connection is being closed has it opened again, or another") {
  ask("opens one");
  settle();
  lane->close_quiet(60s);
  clock->advance(60s);
  lane->close_quiet(60s);  // a database thread is on its way
  Caller& one = ask("one");
  Caller& two = ask("two");
  settle();
  CHECK(one.done());
  CHECK(two.done());
  check_all_clean();
}

TEST_CASE_METHOD(Rested, "quiet: nothing is closed while it falls asleep, which closes all") {
  ask("opens one");
  settle();
  lane->close_quiet(60s);
  clock->advance(60s);
  REQUIRE(lane->fall_asleep());
  lane->close_quiet(60s);
  lane->stay_awake();
  CHECK(lane->fall_asleep());  // no thread is on its way to close it
  lane->wake_up();
  check_all_clean();
}

TEST_CASE_METHOD(Rested, "asleep: nothing begins, each who comes has it woken, and is served when it is awake") {
  REQUIRE(lane->fall_asleep());
  Caller& first = ask("first");
  Caller& second = acquire();
  Caller inlined(request(kinds::statement), "query", nullptr);
  CHECK_FALSE(lane->run_inline(inlined));
  settle();
  CHECK(woken == 2);
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  CHECK(lane->stats().waiting == 2);
  lane->wake_up();
  settle();
  CHECK(first.done());
  CHECK(second.lease);
  CHECK(woken == 2);
  second.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Rested, "asleep: who waits may be failed, and the lane goes on sleeping") {
  REQUIRE(lane->fall_asleep());
  Caller& one = ask("one");
  lane->fail_waiting(std::make_exception_ptr(Error(errc::file_replaced, "gone")));
  settle();
  CHECK(one.code() == errc::file_replaced);
  Caller& two = ask("two");
  settle();
  CHECK_FALSE(two.done());
  lane->wake_up();
  check_all_clean();
}

TEST_CASE_METHOD(Rested, "fall asleep: not while somebody has a connection or waits, nor when it is closed") {
  SECTION("a lease") {
    Caller& held = acquire();
    settle();
    CHECK_FALSE(lane->fall_asleep());
    held.lease.reset();
  }
  SECTION("an operation") {
    ask("waits for a thread");
    CHECK_FALSE(lane->fall_asleep());
  }
  SECTION("held back") {
    REQUIRE(lane->hold_back(0ms));
    CHECK_FALSE(lane->fall_asleep());
    lane->open_again();
  }
  SECTION("a connection that is being closed") {
    ask("opens one");
    settle();
    lane->close_quiet(60s);
    clock->advance(60s);
    lane->close_quiet(60s);
    CHECK_FALSE(lane->fall_asleep());
  }
  SECTION("closed") {
    lane->close(std::make_exception_ptr(Error(errc::closed, "over")));
    CHECK_FALSE(lane->fall_asleep());
    CHECK(lane->parked());
    return;
  }
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
