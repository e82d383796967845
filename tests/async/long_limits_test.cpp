// Limits at both ends: what is as good as for ever, and what is over already.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>

#include "async_fixture.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

PoolOptions all_limits(TimeLimit limit) {
  PoolOptions options;
  options.acquire_timeout = options.run_timeout = limit;
  options.slow_statement = options.slow_acquire = options.long_lease = limit;
  options.startup_check = integrity_check::always;
  options.startup_check_timeout = limit;
  options.connection.busy_timeout = options.connection.optimize_budget = limit;
  return options;
}

TEST_CASE("limits: the longest ones of every option neither end nor log anything, in a pool and in its calls") {
  const TimeLimit forever = GENERATE(TimeLimit(std::chrono::milliseconds::max()), TimeLimit(std::chrono::hours::max()));
  SteppedApp app(all_limits(forever));
  Pool pool = app.open();
  app.run(pool.execute({.timeout = forever, .run_timeout = forever}, "CREATE TABLE t(a)"));
  auto held = app.run(pool.begin({.timeout = forever}));
  auto waits = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  app.settle();
  app.clock->advance(1h);
  app.settle();
  CHECK_FALSE(waits.done());
  app.run(std::move(held).commit());
  CHECK(app.finish(waits).changes == 1);
  CHECK(app.log.count("", spdlog::level::warn) == app.log.count("WAL-reset bug", spdlog::level::warn));
  auto report = app.spawn(app.state->shutdown({.grace = forever, .deadline = forever}));
  app.settle();
  CHECK(report.get().clean());
}

TEST_CASE("limits: a negative one is over at once, it is not none") {
  SteppedApp app;
  Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(a)"));
  auto held = app.run(pool.begin());
  auto late = app.spawn(pool.execute({.timeout = -1ms}, "INSERT INTO t VALUES (1)"));
  app.clock->advance(0ms);
  app.settle();
  CHECK(late.code() == errc::acquire_timeout);
  app.run(std::move(held).rollback());
  CHECK(app.code(pool.execute({.run_timeout = -1ms}, "INSERT INTO t VALUES (1)")) == errc::deadline_exceeded);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 0);
}

}  // namespace
}  // namespace statehouse::test
