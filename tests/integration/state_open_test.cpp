#include <atomic>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <latch>

#include "child_process.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

/// Counts migration runs and connections.
struct Counts {
  std::atomic<int> migrated{0};
  std::atomic<int> writers{0};
  std::atomic<int> readers{0};

  Migrator migrator() {
    MigratorOptions options;
    options.on_progress = [this](const MigrationProgress&) { ++migrated; };
    return migrations({"CREATE TABLE t(x)"}, options);
  }
  AppStateOptions options() {
    AppStateOptions result;
    result.pool.readers = 3;
    result.pool.connection.on_connect = [this](Connection&, connection_role role) {
      ++(role == connection_role::writer ? writers : readers);
    };
    return result;
  }
};

TEST_CASE("get_pool: a hundred concurrent first calls open and migrate once and get the same pool") {
  Counts counts;
  SteppedApp app(counts.options());
  app.state->db_instances.add_migrator("context", counts.migrator());
  app.run(app.state->init());
  // callers (io)                                database thread (db)
  // 100 x get_pool: all wait
  //                                             the strand: posts the opening
  //                                             opens, migrates, publishes
  // 100 resume
  std::vector<Task<Pool>> callers;
  for (int i = 0; i < 100; ++i)
    callers.push_back(app.spawn(app.state->db_instances.get_pool(i % 2 == 0 ? "context" : "context.db")));
  for (auto& caller : callers) CHECK_FALSE(caller.done());
  CHECK(app.state->db_instances.stats().at(0).state == database_state::opening);
  CHECK(app.step_db());
  CHECK(app.step_db());
  CHECK_FALSE(app.step_db());  // nobody has posted a second opening
  app.settle();
  const Pool first = callers.front().get();
  for (std::size_t i = 1; i < callers.size(); ++i) CHECK(same(first, callers[i].get()));
  CHECK(counts.migrated == 1);
  CHECK(counts.writers == 1);
  CHECK(counts.readers == 0);
  CHECK(app.log.count("opened context.db") == 1);
  CHECK(same(first, app.run(app.state->db_instances.get_pool("context"))));
  CHECK(same(first, *app.state->db_instances.try_get_pool("context.db")));
  CHECK(counts.migrated == 1);
}

TEST_CASE("get_pool: first calls from several threads at the same moment open and migrate once") {
  constexpr int threads = 4;
  constexpr int calls = 25;
  for (int round = 0; round < 10; ++round) {
    CAPTURE(round);
    Counts counts;
    ThreadedApp app(counts.options(), threads);
    app.state->db_instances.add_migrator("context", counts.migrator());
    std::latch start(threads);
    std::vector<std::future<Pool>> pools(threads * calls);
    std::vector<std::thread> callers;
    for (int t = 0; t < threads; ++t)
      callers.emplace_back([&, t] {
        start.arrive_and_wait();
        for (int i = 0; i < calls; ++i)
          pools[static_cast<std::size_t>(t * calls + i)] = app.spawn(app.state->db_instances.get_pool("context"));
      });
    for (auto& caller : callers) caller.join();
    const Pool first = pools.front().get();
    for (std::size_t i = 1; i < pools.size(); ++i) CHECK(same(first, pools[i].get()));
    CHECK(counts.migrated == 1);
    CHECK(counts.writers == 1);
    CHECK(counts.readers == 0);
    CHECK(app.run(app.state->shutdown()).clean());
    check_closed(app.dir / "context.db");
  }
}

TEST_CASE("get_pool: a failed opening reaches everybody who waits, is not kept, and leaves nothing open") {
  struct Cause {
    std::string name;
    boost::system::error_code code;
    std::function<void(SteppedApp&, bool&broken)> arrange, mend;
    std::string text;
  };
  static const std::vector<Cause> causes{
      {"migration", errc::migration_failed,
       [](SteppedApp& app, bool&) {
         app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)", "nonsense"}));
       },
       [](SteppedApp& app, bool&) { app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"})); },
       "nonsense"},
      {"file", errc::not_a_regular_file, [](SteppedApp& app, bool&) { fs::create_directory(app.dir / "x.db"); },
       [](SteppedApp& app, bool&) { fs::remove(app.dir / "x.db"); }, "is a directory"},
      {"data directory",
       {ENOENT, boost::system::system_category()},
       [](SteppedApp& app, bool&) { fs::remove(app.dir.path()); },
       [](SteppedApp& app, bool&) { fs::create_directory(app.dir.path()); },
       "does not exist"},
      {"hook", std::make_error_code(std::errc::io_error), [](SteppedApp&, bool& broken) { broken = true; },
       [](SteppedApp&, bool& broken) { broken = false; }, "hook said no"}};
  const std::size_t chosen = GENERATE(range(std::size_t{0}, std::size_t{4}));
  const Cause& cause = causes.at(chosen);
  CAPTURE(cause.name);

  bool broken = false;
  AppStateOptions options;
  options.pool.connection.on_connect = [&](Connection&, connection_role) {
    if (broken) throw std::system_error(std::make_error_code(std::errc::io_error), "hook said no");
  };
  SteppedApp app(std::move(options));
  app.run(app.state->init());
  cause.arrange(app, broken);

  std::vector<Task<Pool>> callers;
  for (int i = 0; i < 3; ++i) callers.push_back(app.spawn(app.state->db_instances.get_pool("x")));
  app.settle();
  for (auto& caller : callers) {
    REQUIRE(caller.done());
    CHECK(caller.completions() == 1);
    if (cause.name == "hook") {
      CHECK_THROWS_AS(caller.get(), std::system_error);
    } else {
      CHECK(caller.code() == cause.code);
    }
    CHECK(contains(caller.text(), cause.text));
  }
  CHECK(open_descriptors(app.dir / "x.db") == 0);
  CHECK_FALSE(app.state->db_instances.try_get_pool("x").has_value());
  CHECK(app.state->db_instances.names().empty());
  const DatabaseStats failed = app.state->db_instances.stats().at(0);
  CHECK(failed.state == database_state::failed);
  CHECK(contains(failed.last_error, cause.text));
  CHECK(app.log.count("opening failed", spdlog::level::err) == 1);

  // Still broken: tried again, and failed again.
  CHECK(app.spawn(app.state->db_instances.get_pool("x")).done() == false);
  app.settle();
  CHECK(app.log.count("opening failed", spdlog::level::err) == 2);

  cause.mend(app, broken);
  const Pool pool = app.run(app.state->db_instances.get_pool("x"));
  app.run(pool.execute("CREATE TABLE proof(x)"));
  CHECK(app.state->db_instances.stats().at(0).state == database_state::ready);
  CHECK(app.state->db_instances.stats().at(0).last_error.empty());
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(app.dir / "x.db");
}

TEST_CASE("get_pool: a directory without write permission fails with EACCES and works once it is writable") {
  const std::string outcome = as_nobody([]() -> std::string {
    SteppedApp app;
    app.run(app.state->init());
    ::chmod(app.dir.path().c_str(), 0500);
    auto refused = app.spawn(app.state->db_instances.get_pool("x"));
    app.settle();
    ::chmod(app.dir.path().c_str(), 0700);
    const Pool pool = app.run(app.state->db_instances.get_pool("x"));
    app.run(pool.execute("CREATE TABLE t(x)"));
    return refused.text() +
           (refused.code() == boost::system::errc::permission_denied ? " [EACCES]" : " [another code]");
  });
  CHECK(contains(outcome, "[EACCES]"));
  CHECK(contains(outcome, "x.db"));
  CHECK(contains(outcome, "check owner and mode"));
}

TEST_CASE("get_pool: the hook sees every connection with its role before anybody else can use it") {
  std::vector<connection_role> roles;
  SteppedApp* seen = nullptr;
  bool published = false;
  std::function<void()> nothing = [] {};
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.connection.on_connect = [&](Connection& connection, connection_role role) {
    roles.push_back(role);
    published |= seen->state->db_instances.try_get_pool("x").has_value() || !seen->state->db_instances.names().empty();
    with_hook(nothing)(connection, role);
  };
  SteppedApp app(std::move(options));
  seen = &app;
  const Pool pool = app.open("x");
  CHECK(roles == std::vector{connection_role::writer});
  CHECK_FALSE(published);
  app.open_readers(pool, 2);
  CHECK(roles == std::vector{connection_role::writer, connection_role::reader, connection_role::reader});
  for (int i = 0; i < 2; ++i) CHECK(app.run(pool.query_one<int>("SELECT hook()")) == 1);
}

TEST_CASE("get_pool: a slow migration of one database does not delay another") {
  SteppedApp app;
  app.run(app.state->init());
  // database thread (db)                        callers (io)
  // opens "slow"; its migration runs and
  //   waits for "fast":                         get_pool("fast"): opened, read and written
  // "slow" goes on and is published
  bool fast_was_open = false;
  bool slow_was_open = true;
  Task<Pool> slow = [&] {
    MigratorOptions options;
    options.on_progress = [&](const MigrationProgress&) {
      auto fast = app.spawn(app.state->db_instances.get_pool("fast"));
      app.settle();
      if (!fast.done()) return;
      auto wrote = app.spawn(fast.get().execute("CREATE TABLE t(x)"));
      app.settle();
      fast_was_open = wrote.done() && !wrote.failed();
      slow_was_open = app.state->db_instances.try_get_pool("slow").has_value();
    };
    app.state->db_instances.add_migrator("slow", migrations({"CREATE TABLE t(x)"}, options));
    return app.spawn(app.state->db_instances.get_pool("slow"));
  }();
  app.settle();
  CHECK(fast_was_open);
  CHECK_FALSE(slow_was_open);
  CHECK(slow.done());
  CHECK(app.state->db_instances.names() == std::vector<std::string>{"fast", "slow"});
  app.state.reset();
}

TEST_CASE("get_pool: a database thread that is busy with one opening leaves the others to the other threads") {
  std::promise<void> fast_is_open;
  bool in_time = false;
  MigratorOptions slow;
  slow.on_progress = [&](const MigrationProgress&) {
    in_time = fast_is_open.get_future().wait_for(patience) == std::future_status::ready;
  };
  ThreadedApp app;
  app.state->db_instances.add_migrator("slow", migrations({"CREATE TABLE t(x)"}, slow));
  auto opening = app.spawn(app.state->db_instances.get_pool("slow"));
  app.open("fast");
  fast_is_open.set_value();
  opening.get();
  CHECK(in_time);
  CHECK(app.run(app.state->shutdown()).clean());
}

TEST_CASE("get_pool: cancelling one waiter, of any type, detaches only that one") {
  const auto type =
      GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total);
  const std::size_t chosen = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{2});
  Counts counts;
  SteppedApp app(counts.options());
  app.state->db_instances.add_migrator("x", counts.migrator());
  app.run(app.state->init());
  std::vector<Task<Pool>> callers;
  for (int i = 0; i < 3; ++i) callers.push_back(app.spawn(app.state->db_instances.get_pool("x")));
  callers[chosen].cancel(type);
  CHECK_FALSE(callers[chosen].done());  // completed by a post, not inside the signal
  while (app.step_io()) {
  }
  CHECK(callers[chosen].code() == asio::error::operation_aborted);
  app.settle();
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(callers[i].completions() == 1);
    CHECK(callers[i].failed() == (i == chosen));
  }
  CHECK(counts.migrated == 1);
}

TEST_CASE("get_pool: an opening that nobody waits for any more goes on and is there for the next call") {
  Counts counts;
  SteppedApp app(counts.options());
  app.state->db_instances.add_migrator("x", counts.migrator());
  app.run(app.state->init());
  auto only = app.spawn(app.state->db_instances.get_pool("x"));
  only.cancel();
  app.settle();
  CHECK(only.code() == asio::error::operation_aborted);
  auto next = app.spawn(app.state->db_instances.get_pool("x"));
  CHECK(next.done());  // without a suspension
  CHECK(counts.migrated == 1);
}

TEST_CASE("get_pool: a cancellation, a timeout or a shutdown during the opening does not disturb it") {
  // database thread (db)                        callers (io)
  //                                             a, b, c: get_pool("x"), b within 100 ms
  // opens, and inside the migration:            a is cancelled; 100 ms pass for b
  // publishes                                   c has the pool
  SteppedApp app;
  std::vector<Task<Pool>> callers;
  MigratorOptions options;
  options.on_progress = [&](const MigrationProgress&) {
    callers[0].cancel();
    app.clock->advance(100ms);
    while (app.step_io()) {
    }
  };
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}, options));
  app.run(app.state->init());
  callers.push_back(app.spawn(app.state->db_instances.get_pool("x")));
  callers.push_back(app.spawn(app.state->db_instances.get_pool("x", {.timeout = 100ms})));
  callers.push_back(app.spawn(app.state->db_instances.get_pool("x")));
  app.step_db();  // the strand
  app.step_db();
  CHECK(callers[0].code() == asio::error::operation_aborted);
  CHECK(callers[1].code() == errc::acquire_timeout);
  CHECK_FALSE(callers[2].done());
  app.settle();
  CHECK(callers[2].get().name() == "x");
  for (auto& caller : callers) CHECK(caller.completions() == 1);
}

TEST_CASE("get_pool: a cancellation or timeout that comes after the opening is over changes nothing") {
  // database thread (db)      callers (io)
  //                           a, b: get_pool("x"), b within 100 ms
  // opens, posts a and b
  //                           a is cancelled; 100 ms pass
  //                           a and b resume, with the pool
  SteppedApp app;
  app.run(app.state->init());
  auto cancelled = app.spawn(app.state->db_instances.get_pool("x"));
  auto late = app.spawn(app.state->db_instances.get_pool("x", {.timeout = 100ms}));
  while (app.step_db()) {
  }
  cancelled.cancel();
  app.clock->advance(100ms);
  app.settle();
  CHECK(same(cancelled.get(), late.get()));
}

TEST_CASE("get_pool: a timeout ends one wait with a sentence that names the database, and leaves no timer") {
  SteppedApp app;
  app.run(app.state->init());
  auto patient = app.spawn(app.state->db_instances.get_pool("x"));
  auto impatient = app.spawn(app.state->db_instances.get_pool("x", {.timeout = 100ms}));
  auto other = app.spawn(app.state->db_instances.get_pool("x", {.timeout = 200ms}));
  app.clock->advance(99ms);
  while (app.step_io()) {
  }
  CHECK_FALSE(impatient.done());
  app.clock->advance(1ms);
  while (app.step_io()) {
  }
  CHECK(impatient.code() == errc::acquire_timeout);
  CHECK(impatient.code() == condition::timeout);
  CHECK(contains(impatient.text(), "'x'"));
  app.settle();
  CHECK(same(patient.get(), other.get()));
  CHECK(app.clock->armed() == 1);  // what watches the open database
}

TEST_CASE("in memory: one connection serves everybody, for as long as the state lives, and leaves no file") {
  PoolOptions options;
  options.in_memory = true;
  SteppedApp app(options);
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x INTEGER)"}));
  const Pool pool = app.open("x");
  CHECK(pool.path() == ":memory:");
  CHECK(app.state->db_instances.db_path("x") == ":memory:");
  std::vector<Task<ExecuteResult>> writes;
  std::vector<Task<int>> reads;
  for (int i = 0; i < 32; ++i) {
    writes.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", i)));
    reads.push_back(app.spawn(pool.query_one<int>("SELECT count(*) FROM t")));
  }
  app.settle();
  for (int i = 0; i < 32; ++i) CHECK(reads[static_cast<std::size_t>(i)].get() == i + 1);  // one after the other
  for (int hour = 0; hour < 25; ++hour) {
    app.clock->advance(1h);
    app.settle();
  }
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 32);
  CHECK(pool.stats().writer.connections == 1);
  CHECK(pool.stats().readers.connections == 0);
  const auto other = app.run(app.state->db_instances.get_pool("y"));
  CHECK_THROWS(app.run(other.query_one<int>("SELECT count(*) FROM t")));  // a database of its own
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(app.spawn(pool.query_one<int>("SELECT count(*) FROM t")).code() == errc::closed);
  CHECK(fs::is_empty(app.dir.path()));
}

}  // namespace
}  // namespace statehouse::test
