#include "statehouse/time_limit.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <optional>
#include <type_traits>

#include "base/deadline.hpp"
#include "database_file.hpp"
#include "error_of.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "statehouse/check.hpp"
#include "statehouse/pool.hpp"

using namespace statehouse;
using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using test::code_of;

namespace {

using Years = std::chrono::duration<std::int64_t, std::chrono::years::period>;

constexpr Clock::time_point some_day{24h};
constexpr auto end_of_time = Clock::time_point::max();

template <class T>
concept Comparable = requires(Clock::duration took, T limit) {
  took < limit;
};
template <class T>
concept Addable = requires(Clock::time_point now, T limit) {
  now + limit;
};

}  // namespace

TEST_CASE("time limit: what no clock can count is the longest there is, in both directions") {
  static_assert(TimeLimit(hours::max()).count() == milliseconds::max().count());
  static_assert(TimeLimit(hours::min()).count() == milliseconds::min().count());
  static_assert(TimeLimit(Years::max()) == milliseconds::max());
  static_assert(TimeLimit(std::chrono::seconds::max()) == TimeLimit(milliseconds::max()));
  static_assert(TimeLimit(std::chrono::duration<std::uint64_t, std::milli>::max()) == milliseconds::max());
  static_assert(TimeLimit(std::chrono::duration<std::uint64_t>::max()) == milliseconds::max());
  static_assert(nanoseconds(TimeLimit(milliseconds::max())) == nanoseconds::max());
  static_assert(nanoseconds(TimeLimit(milliseconds::min())) == nanoseconds::min());
  static_assert(std::chrono::duration<int, std::milli>(TimeLimit(hours(1000))) ==
                std::chrono::duration<int, std::milli>::max());
  static_assert(TimeLimit(milliseconds::max()) - TimeLimit(-1ms) == milliseconds::max());
  static_assert(TimeLimit(milliseconds::min()) - TimeLimit(1ms) == milliseconds::min());
  SUCCEED();
}

TEST_CASE("time limit: all else is exact, as std::chrono has it") {
  static_assert(TimeLimit() == 0ms && TimeLimit(1500) == 1500ms && TimeLimit(2min) == 120s);
  static_assert(nanoseconds(TimeLimit(-7ms)) == -7ms && milliseconds(TimeLimit(3h)) == 3h);
  static_assert(TimeLimit(5s) - TimeLimit(2s) == 3s && TimeLimit(1s) < TimeLimit(2s) && TimeLimit(-1s) < 0s);
  static_assert(nanoseconds(TimeLimit(std::chrono::years(290))) == std::chrono::years(290));
  static_assert(std::is_trivially_destructible_v<CallOptions>);  // GCC 12 and co_await
  SUCCEED();
}

TEST_CASE("time limit: neither what would be cut off nor times of a clock become one silently") {
  static_assert(!std::convertible_to<std::chrono::microseconds, TimeLimit> &&
                !std::convertible_to<std::chrono::duration<double>, TimeLimit> &&
                !std::convertible_to<Clock::duration, TimeLimit> && !std::convertible_to<int, TimeLimit>);
  static_assert(!Comparable<TimeLimit> && !Addable<TimeLimit>);
  static_assert(Comparable<milliseconds> && Addable<milliseconds>);  // what the two would say of the old options
  static_assert(std::convertible_to<TimeLimit, milliseconds> && !std::convertible_to<TimeLimit, std::chrono::seconds>);
  SUCCEED();
}

TEST_CASE("time limit: moments after now end with time itself, and a negative limit is over already") {
  using detail::after;
  using detail::deadline;
  using detail::reaches;
  for (const TimeLimit forever :
       {TimeLimit(milliseconds::max()), TimeLimit(hours::max()), TimeLimit(Years(293)), TimeLimit(Years(1'000'000))}) {
    CHECK(after(some_day, forever) == end_of_time);
    CHECK(deadline(some_day, forever) == end_of_time);
    CHECK_FALSE(reaches(hours(24 * 365 * 290), forever));
  }
  CHECK(after(some_day, Years(290)) == some_day + Years(290));
  CHECK(after(some_day, 0ms) == some_day);
  CHECK(deadline(some_day, 0ms) == end_of_time);
  CHECK_FALSE(reaches(24h, 0ms));
  for (const TimeLimit over : {TimeLimit(-1ms), TimeLimit(milliseconds::min()), TimeLimit(hours::min())}) {
    CHECK(after(some_day, over) < some_day);
    CHECK(deadline(some_day, over) < some_day);
    CHECK(reaches(0ns, over));
  }
}

TEST_CASE("time limit: a busy_timeout beyond what the clock counts waits until the lock is free") {
  const TimeLimit forever = GENERATE(TimeLimit(milliseconds::max()), TimeLimit(hours::max()), TimeLimit(Years(300)));
  test::DatabaseFile file;
  file.fixture.options.busy_timeout = forever;
  Connection db = file.fixture.open();
  db.execute("CREATE TABLE t(a)");
  test::PlainDatabase stranger(file.fixture.path);
  stranger.execute("BEGIN IMMEDIATE");
  file.fixture.clock->on_read([&](int reading) {
    file.fixture.clock->advance(24h);
    if (reading == 5) stranger.execute("COMMIT");
  });
  CHECK(db.execute("INSERT INTO t VALUES (1)").changes == 1);
  file.fixture.clock->on_read({});
}

TEST_CASE("time limit: what may run for ever is not stopped, and what has no time left is") {
  test::Fixture fixture;
  Connection db = fixture.open();
  const TimeLimit forever = GENERATE(TimeLimit(milliseconds::max()), TimeLimit(hours::max()));
  fixture.clock->on_read([&](int) { fixture.clock->advance(24h); });
  CHECK(db.query_one<int>({.run_timeout = forever}, "SELECT 1") == 1);
  CHECK(quick_check(db, forever).finished);
  CHECK(code_of([&] { db.query_one<int>({.run_timeout = -1ms}, "SELECT 1"); }) == errc::deadline_exceeded);
  CHECK_FALSE(quick_check(db, -1ms).finished);
  fixture.clock->on_read({});
}
