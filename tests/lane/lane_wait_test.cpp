// How waiting ends without a connection: timeouts and cancellation; and how what runs is stopped.

#include <catch2/generators/catch_generators.hpp>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

struct Wait : LaneTest {};

TEST_CASE_METHOD(Wait, "timeout: each has its own, the lane's where it has none; none means none") {
  Caller& holder = acquire();
  Caller& never = ask("never", {.timeout = 0ms});
  Caller& standard = ask("standard");
  Caller& shorter = ask("shorter", {.timeout = 1s});
  Caller& longer = ask("longer", {.timeout = 5s});
  const auto after = [&](std::chrono::milliseconds time) {
    clock->advance(time);
    settle();
    return std::vector<bool>{never.done(), standard.done(), shorter.done(), longer.done()};
  };
  CHECK(after(999ms) == std::vector{false, false, false, false});
  CHECK(after(1ms) == std::vector{false, false, true, false});
  CHECK(after(1999ms) == std::vector{false, false, true, false});
  CHECK(after(1ms) == std::vector{false, true, true, false});
  CHECK(after(2s) == std::vector{false, true, true, true});
  CHECK(after(1h) == std::vector{false, true, true, true});
  CHECK(clock->armed() == 0);
  CHECK(lane->stats().acquire_timeouts == 3);
  CHECK(longer.code() == errc::acquire_timeout);
  holder.lease.reset();
  settle();
  CHECK(engine.ran == Texts{"never"});
  check_all_clean();
}

TEST_CASE_METHOD(Wait, "timeout: the text names the call, the wait, the queue, the holders and what was wrong last") {
  engine.scripts["fails"].fails = sql_busy;
  ask("fails");
  settle();
  Caller& holder = acquire();
  run_callers();
  clock->advance(100ms);
  Caller& first = ask("a", {.timeout = 250ms});
  Caller& second = ask("b", {.timeout = 250ms});
  clock->advance(250ms);
  CHECK_FALSE(first.done());  // posted, not told by the clock
  settle();
  const std::string line = std::to_string(first.request().where.line());
  CHECK(first.text() == "database 'test': execute at lane_fixture.hpp:" + line +
                            ": no writer connection became free within 250 ms; 2 in the queue; held by execute at "
                            "lane_fixture.hpp:" +
                            line + " for 350 ms (not running anything); last SQLite error: " + lane->last_error());
  CHECK(second.text().find("; 1 in the queue; ") != std::string::npos);
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(Wait, "timeout: strikes what waits while another statement runs, and says who runs") {
  engine.scripts["slow"].call = [&] {
    clock->advance(1s);
    run_callers();
    CHECK(callers[1].done());
    CHECK_FALSE(callers[2].done());
    CHECK(lane->stats().waiting == 1);
  };
  ask("slow");
  Caller& impatient = ask("a", {.timeout = 1s});
  ask("b");
  settle();
  CHECK(impatient.code() == errc::acquire_timeout);
  CHECK(impatient.text().find(" for 1000 ms (running)") != std::string::npos);
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "slow", "COMMIT", "b"});
  check_all_clean();
}

TEST_CASE_METHOD(Wait, "timeout: one that was served in time leaves no trace in the next ones") {
  Caller& served = ask("a", {.timeout = 1s});
  settle();
  Caller& holder = acquire();
  Caller& later = ask("b", {.timeout = 2s});
  clock->advance(1500ms);
  settle();
  CHECK(served.text() == "");
  CHECK_FALSE(later.done());
  clock->advance(500ms);
  settle();
  CHECK(later.code() == errc::acquire_timeout);
  holder.lease.reset();
}

TEST_CASE_METHOD(Wait, "cancel: what waits ends at once, with any type, and never runs") {
  engine.scripts["slow"].call = [&] {
    elsewhere([&] {
      cancel(callers[1], asio::cancellation_type::total);
      cancel(callers[2], asio::cancellation_type::partial);
      cancel(callers[3], asio::cancellation_type::terminal);
    });
    run_callers();
    for (std::size_t i = 1; i < 4; ++i) CHECK(callers[i].done());
  };
  ask("slow");
  for (int i = 0; i < 3; ++i) ask("never");
  ask("last");
  settle();
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(callers[i].code() == aborted);
    CHECK(callers[i].text() == "database 'test': cancelled while waiting for a connection");
  }
  CHECK(engine.times("never") == 0);
  CHECK(engine.times("last") == 1);
  CHECK(lane->stats().cancelled == 3);
  cancel(callers[1]);  // it is over, and nothing comes of it
  check_all_clean();
}

TEST_CASE_METHOD(Wait, "cancel: what runs is stopped by terminal only") {
  const auto [type, stopped] =
      GENERATE(std::pair(asio::cancellation_type::total, false), std::pair(asio::cancellation_type::partial, false),
               std::pair(asio::cancellation_type::terminal, true));
  engine.scripts["slow"].call = [&, how = type] { elsewhere([&] { cancel(callers[0], how); }); };
  Caller& one = ask(kinds::lone_statement, "slow");
  settle();
  CHECK(one.code() == (stopped ? aborted : boost::system::error_code()));
  CHECK(lane->stats().cancelled == 0);
  check_all_clean();
}

TEST_CASE_METHOD(Wait, "cancel: between being taken by a thread and beginning to run is not too early") {
  Caller& one = ask(kinds::lone_statement, "one");
  clock->on_read([&](int reading) {
    if (reading == 1) cancel(one);  // by the batch that has it
  });
  settle();
  clock->on_read({});
  CHECK(one.code() == aborted);
  CHECK(engine.ran.empty());
}

TEST_CASE_METHOD(Wait, "cancel: what has run in a batch is committed all the same, unless it has to run again") {
  writes("a");
  const bool lost = GENERATE(false, true);
  CAPTURE(lost);
  FakeScript& last = engine.scripts["last"];
  last.call = [&] { elsewhere([&] { cancel(callers[0]); }); };
  last.ends_transaction = lost;
  last.fails = lost ? sql_constraint : 0;
  Caller& cancelled = ask("a");
  ask("a");
  ask("last");
  settle();
  CHECK(cancelled.code() == (lost ? aborted : boost::system::error_code()));
  CHECK(engine.kept.size() == (lost ? 1 : 2));
  check_all_clean();
}

TEST_CASE("run timeout: a statement is stopped when its time is up, and the next one has all of its own") {
  PoolOptions options;
  options.run_timeout = 100ms;
  LaneTest test(connection_role::writer, 1, options);
  FakeScript& endless = test.engine.scripts["endless"];
  endless.endless = true;
  endless.call = [&] { test.clock->advance(30ms); };
  Caller& standard = test.ask(kinds::lone_statement, "endless");
  Caller& own = test.ask(kinds::lone_statement, "endless", {.run_timeout = 1s});
  test.settle();
  CHECK(standard.code() == errc::deadline_exceeded);
  CHECK(own.code() == errc::deadline_exceeded);
  CHECK(test.lane->stats().run_time() == 120ms + 1020ms);
  endless = {};
  test.check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
