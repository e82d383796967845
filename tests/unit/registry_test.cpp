#include "state/registry.hpp"

#include "state/database_threads.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

/// A registry without an AppState, and a caller of `get_pool` who has looked for the database "x" before he waits.
struct OwnRegistry {
  SteppedApp app;
  const detail::DatabaseThreads threads{app.db.get_executor(), 0};
  const std::shared_ptr<detail::Registry> registry =
      std::make_shared<detail::Registry>(detail::RegistryConfig{.data_dir = app.dir.path(),
                                                                .prefix = {},
                                                                .pool = detail::share_options({}),
                                                                .max_open_connections = 100,
                                                                .executor = threads.executor(),
                                                                .clock = app.clock,
                                                                .logger = app.log.logger()});
  std::shared_ptr<detail::Database> database;

  OwnRegistry() {
    app.run(registry->init());
    database = registry->to_open(DatabaseName::parse_or_throw("x"));
  }
  asio::awaitable<std::shared_ptr<detail::PoolCore>> join() const {
    detail::OpenWaiter waiter({});
    auto start = [&] { database->wait_for_open(waiter); };
    co_await detail::suspend(waiter, start);
    co_return waiter.take();
  }
  void shut_down() {
    const auto shutdown = registry->shut_down({});
    app.settle();
    CHECK(shutdown->report().clean());
  }
};

TEST_CASE_METHOD(OwnRegistry, "get_pool: a failed database is refused to a caller that had not seen it fail") {
  // caller a (io)                      clock
  // finds nothing
  //                                    (another caller has opened it;) its file is gone: failed
  // joins the waiters: refused
  CHECK(app.run(join()) != nullptr);
  std::filesystem::remove(app.dir / "x.db");
  app.clock->advance(1s);
  app.settle();
  CHECK(app.code(join()) == errc::file_replaced);
  shut_down();
}

TEST_CASE_METHOD(OwnRegistry, "get_pool: a database is refused to a caller that had not seen the shutdown") {
  // caller a (io)                      another thread
  // finds nothing
  //                                    shuts down
  // joins the waiters: refused
  shut_down();
  CHECK(app.code(join()) == errc::closed);
}

TEST_CASE(
    "registry: what was only brought up to date is forgotten, what somebody has or has said something of is not") {
  OwnRegistry own;  // "x" was looked for
  for (const char* name : {"a", "b", "c"}) write_file(own.app.dir / (std::string(name) + ".db"), "");
  own.registry->configure(DatabaseName::parse_or_throw("b"), PoolOptions());
  std::shared_ptr<detail::Database> looked_for;
  int done = 0;
  for (const char* name : {"a", "b", "c"})
    CHECK_FALSE(own.registry->visit(DatabaseName::parse_or_throw(name), [&](const detail::Visit& visit) {
      CHECK(visit.failure == nullptr);
      ++done;
    }));
  looked_for = own.registry->to_open(DatabaseName::parse_or_throw("c"));
  own.app.settle();
  CHECK(done == 3);
  own.registry->forget_visited();
  const std::weak_ptr<detail::Database> kept = own.registry->to_open(DatabaseName::parse_or_throw("c"));
  CHECK(kept.lock() == looked_for);
  looked_for.reset();
  CHECK_FALSE(kept.expired());
  own.registry->forget_visited();
  CHECK(kept.expired());
  CHECK(own.registry->health().databases.size() == 1);  // b
  own.shut_down();
}

}  // namespace
}  // namespace statehouse::test
