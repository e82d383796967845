// What a lane counts of operations: how long they waited and ran, what was slow, and by which codes they failed.

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <map>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

struct Counting : LaneTest {
  /// The bucket that has all that was counted, which is in one.
  static std::size_t only_bucket(const DurationHistogram& histogram) {
    CHECK(std::ranges::count_if(histogram.counts, [](std::uint64_t count) { return count > 0; }) == 1);
    return static_cast<std::size_t>(
        std::ranges::find_if(histogram.counts, [](std::uint64_t count) { return count > 0; }) -
        histogram.counts.begin());
  }
  const DurationHistogram& runs(const LaneStats& stats) const {
    return stats.runs[static_cast<std::size_t>(operation_verb::execute)];
  }
};

TEST_CASE(
    "histogram: what takes as long as a limit is below it, what takes longer above, and beyond the last is there") {
  for (std::size_t i = 0; i < DurationHistogram::limits.size(); ++i) {
    CAPTURE(i);
    DurationHistogram at_the_limit;
    at_the_limit.add(DurationHistogram::limits[i]);
    CHECK(Counting::only_bucket(at_the_limit) == i);
    DurationHistogram above;
    above.add(DurationHistogram::limits[i] + 1ns);
    CHECK(Counting::only_bucket(above) == i + 1);
  }
  DurationHistogram both;
  both.add(0ns);
  both.add(24h);
  CHECK(both.counts.front() == 1);
  CHECK(both.counts.back() == 1);
  CHECK(both.count() == 2);
  CHECK(both.sum == 24h);
}

TEST_CASE_METHOD(Counting, "stats: the wait of an operation and its run are counted each in its bucket") {
  engine.scripts["a"].call = [&] { clock->advance(5ms); };
  ask("a");
  clock->advance(20ms);
  settle();
  const LaneStats stats = lane->stats();
  CHECK(DurationHistogram::limits[only_bucket(stats.waits)] == 50ms);
  CHECK(DurationHistogram::limits[only_bucket(runs(stats))] == 5ms);
  CHECK(stats.waits.sum == 20ms);
  CHECK(runs(stats).sum == 5ms);
}

TEST_CASE_METHOD(Counting, "stats: who only wants a connection has waited, and run nothing") {
  Caller& holder = acquire();
  settle();
  CHECK(lane->stats().waits.count() == 1);
  CHECK(runs(lane->stats()).count() == 0);
  ask_on(holder, kinds::statement, "a");
  settle();
  CHECK(lane->stats().waits.count() == 2);
  CHECK(runs(lane->stats()).count() == 1);
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE("stats: what runs as long as slow_statement is slow, and nothing is where that is no limit") {
  const bool limited = GENERATE(true, false);
  CAPTURE(limited);
  PoolOptions options;
  options.slow_statement = limited ? 20ms : 0ms;
  LaneTest test(connection_role::writer, 1, options);
  test.engine.scripts["slow"].call = [&] { test.clock->advance(20ms); };
  test.engine.scripts["quick"].call = [&] { test.clock->advance(19ms); };
  for (const char* text : {"slow", "quick", "slow"}) test.ask(text);
  test.settle();
  CHECK(test.lane->stats().slow == (limited ? 2 : 0));
  CHECK(test.log.count(" ran 20 ms: slow") == (limited ? 2 : 0));
}

TEST_CASE("stats: each failure counts under its code, whether it ran, found no room, timed out or was cancelled") {
  PoolOptions options;
  options.max_waiting = 2;
  LaneTest test(connection_role::writer, 1, options);
  const auto errors = [&] {
    std::map<std::string_view, std::uint64_t> counts;
    for (const ErrorCount& one : test.lane->stats().errors) CHECK(counts.emplace(one.code, one.count).second);
    return counts;
  };
  using Counts = std::map<std::string_view, std::uint64_t>;
  CHECK(errors() == Counts());
  test.engine.scripts["full"].fails = sql_full;
  test.engine.scripts["unique"].fails = sql_constraint | (8 << 8);
  for (const char* text : {"full", "unique", "full", "well"}) {
    test.ask(text);
    test.settle();
  }
  test.call(kinds::transaction, [](Connection&) { throw std::runtime_error("the user's own"); });
  test.settle();
  CHECK(errors() == Counts{{"SQLITE_FULL", 2}, {"SQLITE_CONSTRAINT", 1}, {"exception", 1}});

  Caller& holder = test.acquire();
  test.settle();
  Caller& cancelled = test.ask("cancelled");
  test.ask("late", {.timeout = 1s});
  test.ask("one too many");
  test.cancel(cancelled);
  test.clock->advance(1s);
  holder.lease.reset();
  test.check_all_clean();
  CHECK(errors() == Counts{{"SQLITE_FULL", 2},
                           {"SQLITE_CONSTRAINT", 1},
                           {"exception", 1},
                           {"acquire_timeout", 1},
                           {"queue_full", 1},
                           {"operation_aborted", 1}});
}

}  // namespace
}  // namespace statehouse::test
