// First-time creation: the strand that serialises it, and what must not wait for the strand.

#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "state_support.hpp"
#include "telling_executor.hpp"

namespace statehouse::test {
namespace {

/// Like SteppedApp, but the test hears of each post to the database executor, and nothing is ever dispatched inline.
struct ToldApp : SteppedApp {
  ToldApp() {
    state.reset();
    AppStateOptions options;
    options.data_dir = dir.path();
    options.database_executor = TellingExecutor{&db, &tell};
    options.clock = clock;
    options.logger = log.logger();
    state.emplace(io.get_executor(), std::move(options));
    run(state->init());
  }
  ~ToldApp() { state.reset(); }

  std::function<void()> tell = [] {};
};

TEST_CASE("get_pool: first-time creation is serialised on the strand") {
  // caller a             database thread 1                    caller b             database thread 2
  // get_pool             the strand; the opening fails
  //                      the strand: tells the callers
  //                                                           get_pool
  //                                                                                nothing to run: the strand is taken
  // the failure          the strand: posts a new opening
  //                      opens
  //                                                           the pool
  SteppedApp app;
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  databases.add_migrator("x", migrations({"nonsense"}));
  std::function<void()> tell = [] {};
  Spawner spawner;
  auto a = spawner(asio::any_io_executor(TellingExecutor{&app.io, &tell}), databases.get_pool("x"));
  while (app.step_io()) {
  }
  std::optional<Task<Pool>> b;
  std::size_t ran_beside = 0;
  tell = [&] {
    if (b) return;
    databases.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
    b = app.spawn(databases.get_pool("x"));
    std::thread([&] { ran_beside = app.db.poll(); }).join();
  };
  app.settle();
  CHECK(ran_beside == 0);
  CHECK(a.code() == errc::migration_failed);
  REQUIRE(b.has_value());
  CHECK(b->get().name() == "x");
  CHECK(app.log.count("opened x.db") == 1);
}

TEST_CASE("get_pool: of first calls from two threads one has the database opened, before the strand has run or after") {
  const int steps = GENERATE(0, 1);  // the strand; the next one would be the opening
  SteppedApp app;
  app.run(app.state->init());
  auto a = app.spawn(app.state->db_instances.get_pool("x"));
  for (int i = 0; i < steps; ++i) REQUIRE(app.step_db());
  asio::io_context other;
  Spawner spawner;
  auto b = spawner(other.get_executor(), app.state->db_instances.get_pool("x"));
  std::thread([&] { other.poll(); }).join();
  for (int i = steps; i < 2; ++i) REQUIRE(app.step_db());
  CHECK_FALSE(app.step_db());
  app.settle();
  other.restart();
  other.poll();
  CHECK(same(a.get(), b.get()));
  CHECK(app.log.count("opened x.db") == 1);
}

/// One database thread, which is inside the migration of "busy" until `leave`; callers are stepped on `io`.
struct BusyApp {
  BusyApp() : app(options(clock)) {
    MigratorOptions migrator;
    migrator.on_progress = [this](const MigrationProgress&) {
      began.set_value();
      left.get_future().wait();
    };
    app.state->db_instances.add_migrator("busy", migrations({"CREATE TABLE t(x)"}, migrator));
    opening = app.spawn(app.state->db_instances.get_pool("busy"));
    began.get_future().wait();
  }
  ~BusyApp() {
    if (busy) leave();
  }

  static AppStateOptions options(const std::shared_ptr<testing::ManualClock>& clock) {
    AppStateOptions options;
    options.database_threads = 1;
    options.clock = clock;
    return options;
  }
  template <class Work>
  auto spawn(Work work) {
    auto task = spawner(io.get_executor(), std::move(work));
    step();
    return task;
  }
  void step() {
    io.restart();
    io.poll();
  }
  void leave() {
    busy = false;
    left.set_value();
  }

  Spawner spawner;
  asio::io_context io;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::promise<void> began;
  std::promise<void> left;
  bool busy = true;
  ThreadedApp app;
  std::future<Pool> opening;
};

TEST_CASE("get_pool: a timeout answers while every database thread is busy") {
  const auto* const name = GENERATE("busy", "other");  // the opening runs; not even the strand does
  BusyApp busy;
  auto waiting = busy.spawn(busy.app.state->db_instances.get_pool(name, {.timeout = 100ms}));
  busy.clock->advance(99ms);
  busy.step();
  CHECK_FALSE(waiting.done());
  busy.clock->advance(1ms);
  busy.step();
  CHECK(waiting.code() == errc::acquire_timeout);
  busy.leave();
  CHECK(busy.opening.get().name() == "busy");
  CHECK(busy.app.open(name).name() == name);  // the opening has gone on, or another one begins
}

TEST_CASE("get_pool: a cancellation answers while every database thread is busy") {
  const auto* const name = GENERATE("busy", "other");
  BusyApp busy;
  auto waiting = busy.spawn(busy.app.state->db_instances.get_pool(name));
  waiting.cancel();
  busy.step();
  CHECK(waiting.code() == asio::error::operation_aborted);
  busy.leave();
  CHECK(busy.opening.get().name() == "busy");
  CHECK(busy.app.open(name).name() == name);
}

TEST_CASE("shutdown: who waits for an opening is refused while every database thread is busy") {
  const auto* const name = GENERATE("busy", "other");
  BusyApp busy;
  auto waiting = busy.spawn(busy.app.state->db_instances.get_pool(name));
  auto shutdown = busy.spawn(busy.app.state->shutdown());
  CHECK(waiting.code() == errc::closed);
  CHECK_FALSE(shutdown.done());
  CHECK(busy.spawn(busy.app.state->db_instances.get_pool("third")).code() == errc::closed);
  busy.leave();
  CHECK(code_of([&] { busy.opening.get(); }) == errc::closed);
  CHECK(eventually([&] {
    busy.step();
    return shutdown.done();
  }));
  const ShutdownReport report = shutdown.get();
  CHECK(report.clean());
  CHECK(report.databases.size() == 1);  // "other" has never begun
  check_closed(busy.app.dir / "busy.db");
  CHECK_FALSE(std::filesystem::exists(busy.app.dir / "other.db"));
}

TEST_CASE("what needs no thread answers rightly while every database thread is busy") {
  BusyApp busy;
  DbInstances& databases = busy.app.state->db_instances;
  auto waiting = busy.spawn(databases.get_pool("other"));
  for (const auto* const name : {"busy", "other"}) {
    CHECK(code_of([&] { databases.add_migrator(name, migrations({})); }) == errc::already_open);
    CHECK(code_of([&] { databases.configure(name, {}); }) == errc::already_open);
    CHECK_FALSE(databases.try_get_pool(name).has_value());
    CHECK(databases.db_path(name).filename() == std::string(name) + ".db");
  }
  CHECK_NOTHROW(databases.add_migrator("third", migrations({})));
  CHECK(databases.names().empty());
  const auto stats = databases.stats();
  REQUIRE(stats.size() == 2);
  for (const auto& each : stats) CHECK(each.state == database_state::opening);
}

TEST_CASE("get_pool: a database that is open already has been opened for the strand to see") {
  // database thread (db)                  callers (io)
  // the strand; opens                     get_pool("x")
  //                                       (nothing is published)
  // the strand: publishes
  //                                       has the pool
  ToldApp app;
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  REQUIRE(app.step_db());
  REQUIRE(app.step_db());
  REQUIRE(app.log.count("opened x.db") == 1);
  DbInstances& databases = app.state->db_instances;
  SECTION("and is published there") {
    CHECK_FALSE(databases.try_get_pool("x").has_value());
    CHECK(databases.stats().at(0).state == database_state::opening);
    CHECK(app.step_db());
    CHECK(databases.try_get_pool("x").has_value());
    app.settle();
    CHECK(caller.get().name() == "x");
  }
  SECTION("and a shutdown that begins now closes it") {
    auto shutdown = app.spawn(app.state->shutdown());
    CHECK(caller.code() == errc::closed);
    CHECK_FALSE(shutdown.done());
    app.settle();
    CHECK(shutdown.get().clean());
    check_closed(app.dir / "x.db");
  }
  SECTION("and the destructor closes it, though the executor does not run any more") {
    app.db.stop();
    app.state.reset();
    check_closed(app.dir / "x.db");
    CHECK(app.log.count("are left to it") == 0);
    app.settle();
    CHECK(caller.code() == errc::closed);
  }
}

TEST_CASE("destructor: an opening that waits for a thread counts as gone, whether or not the strand has seen it") {
  const bool posted = GENERATE(false, true);
  SteppedApp app;
  app.run(app.state->init());
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  if (posted) REQUIRE(app.step_db());
  app.db.stop();
  app.state.reset();
  CHECK(app.log.count("are left to it") == 0);
  app.settle();
  CHECK(caller.code() == errc::closed);
  CHECK(std::filesystem::is_empty(app.dir.path()));
}

TEST_CASE("destructor: a copy of the databases may outlive the executor that was injected") {
  std::unique_ptr<DbInstances> copy;
  {
    SteppedApp app;
    copy = std::make_unique<DbInstances>(app.state->db_instances);
    copy->add_migrator("never", migrations({}));
    copy->add_migrator("failing", migrations({"nonsense"}));
    app.open("x");
    auto failing = app.spawn(copy->get_pool("failing"));
    app.settle();
    CHECK(failing.failed());
    app.state.reset();
  }
  CHECK(copy->stats().size() == 2);
  CHECK(code_of([&] { copy->add_migrator("never", migrations({})); }) == errc::closed);
  copy.reset();
}

}  // namespace
}  // namespace statehouse::test
