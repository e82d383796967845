// Who has called a shutdown, and what it leaves to nobody: the order in which connections go, the executor.

#include <catch2/generators/catch_generators.hpp>
#include <map>
#include <thread>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

/// An executor that runs what is posted on another thread, to its end and before it returns, as long as `now` says so;
/// else on `context`. Its copies can be counted.
struct PromptExecutor {
  asio::io_context* context;
  const bool* now;
  std::shared_ptr<int> copies{};

  template <class F>
  void execute(F&& f) const {
    if (!*now) return asio::post(*context, std::forward<F>(f));
    std::jthread([run = std::decay_t<F>(std::forward<F>(f))]() mutable { std::move(run)(); }).join();
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  bool operator==(const PromptExecutor&) const noexcept = default;
};

/// SteppedApp on such an executor.
struct PromptApp : SteppedApp {
  PromptApp() {
    state.reset();
    AppStateOptions options;
    options.data_dir = dir.path();
    options.database_executor = PromptExecutor{&db, &now, copies};
    options.clock = clock;
    options.logger = log.logger();
    state.emplace(io.get_executor(), std::move(options));
    run(state->init());
  }
  ~PromptApp() { state.reset(); }

  bool now = false;
  std::shared_ptr<int> copies = std::make_shared<int>();
};

TEST_CASE("shutdown: a pool that is closed while it is told to is told so once") {
  // caller of shutdown                          database thread
  //                                             has opened; the strand has not published it
  // publishes it, has it closed
  //                                             closes it: gone
  // goes on
  PromptApp app;
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  REQUIRE(app.step_db());
  REQUIRE(app.step_db());
  REQUIRE(app.log.count("opened x.db") == 1);
  app.now = true;
  auto shutdown = app.spawn(app.state->shutdown());
  app.now = false;
  app.settle();
  CHECK(shutdown.get().clean());
  CHECK(caller.code() == errc::closed);
  CHECK(app.log.count("closed in") == 1);
  check_closed(app.dir / "x.db");
}

TEST_CASE("destructor: a copy of the databases keeps nothing of the executor that was injected") {
  std::unique_ptr<DbInstances> copy;
  {
    PromptApp app;
    copy = std::make_unique<DbInstances>(app.state->db_instances);
    copy->add_migrator("never", migrations({}));
    copy->add_migrator("failing", migrations({"nonsense"}));
    app.run(copy->get_pool("x"));
    CHECK(app.ended(copy->get_pool("failing")).failed());
    const auto own = app.copies;
    app.state.reset();
    CHECK(own.use_count() == 2);  // this one and the app's
  }
  CHECK(copy->stats().size() == 2);
}

TEST_CASE("shutdown: readers are closed before the writer") {
  std::vector<connection_role> closed;
  AppStateOptions options;
  options.pool.readers = 3;
  options.pool.connection.on_connect = [&](Connection& connection, connection_role role) {
    auto* const closing = new std::function<void()>([&closed, role] { closed.push_back(role); });
    const auto call = [](void* self) {
      const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(self));
      (*owned)();
    };
    sqlite3_create_function_v2(
        connection.native().getHandle(), "closing", 0, SQLITE_UTF8, closing,
        [](sqlite3_context*, int, sqlite3_value**) {}, nullptr, nullptr, call);
  };
  SteppedApp app(std::move(options));
  app.open_readers(app.open("x"), 3);
  CHECK(app.run(app.state->shutdown()).clean());
  REQUIRE(closed.size() == 4);
  CHECK(closed.back() == connection_role::writer);
  CHECK(std::ranges::count(closed, connection_role::writer) == 1);
  check_closed(app.dir / "x.db");
}

TEST_CASE("shutdown: of two callers the earliest deadline counts, in either order, where nothing can be closed") {
  const bool hurried_first = GENERATE(true, false);
  const ShutdownOptions hurried{.grace = 1s, .deadline = 2s};
  const ShutdownOptions patient{.grace = 10s, .deadline = 20s};
  SteppedApp app;
  const Pool pool = app.open("x");
  auto first = app.spawn(app.state->shutdown(hurried_first ? hurried : patient));  // no database thread runs
  auto second = app.spawn(app.state->shutdown(hurried_first ? patient : hurried));
  const auto pass = [&](Clock::duration time) {
    app.clock->advance(time);
    while (app.step_io()) {
    }
  };
  pass(hurried.deadline - 1ms);
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  pass(1ms);
  for (auto* report : {&first, &second}) {
    REQUIRE(report->done());
    CHECK_FALSE(report->get().clean());
  }
}

TEST_CASE("shutdown: a caller who is cancelled while it begins hears of its end all the same") {
  SteppedApp app;
  const Pool pool = app.open("x");
  const Transaction held = app.run(pool.begin());
  auto shutdown = app.start(app.state->shutdown({.grace = 1s, .deadline = 3s}));
  app.clock->on_read([&](int reading) {
    if (reading == 1) shutdown.cancel();
  });
  while (app.step_io()) {
  }
  app.clock->on_read({});
  CHECK_FALSE(shutdown.done());
  app.clock->advance(1s);
  app.settle();
  CHECK(shutdown.get().clean());
  check_closed(pool.path());
}

}  // namespace
}  // namespace statehouse::test
