#include "state/registry.hpp"

#include "state/database_threads.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

TEST_CASE("get_pool: a failed database is refused to a caller that had not seen it fail") {
  // caller a (io)                      clock
  // finds nothing
  //                                    (another caller has opened it;) its file is gone: failed
  // joins the waiters: refused
  SteppedApp app;
  const detail::DatabaseThreads threads(app.db.get_executor(), 0);
  const auto registry = std::make_shared<detail::Registry>(detail::RegistryConfig{.data_dir = app.dir.path(),
                                                                                  .prefix = {},
                                                                                  .pool = {},
                                                                                  .executor = threads.executor(),
                                                                                  .clock = app.clock,
                                                                                  .logger = app.log.logger()});
  app.run(registry->init());
  const auto database = registry->to_open(DatabaseName::parse_or_throw("x"));
  const auto join = [&]() -> asio::awaitable<std::shared_ptr<detail::PoolCore>> {
    detail::OpenWaiter waiter({});
    auto start = [&] { database->wait_for_open(waiter); };
    co_await detail::suspend(waiter, start);
    co_return waiter.take();
  };
  CHECK(app.run(join) != nullptr);
  std::filesystem::remove(app.dir / "x.db");
  app.clock->advance(1s);
  app.settle();
  auto late = app.spawn(join);
  app.settle();
  CHECK(late.code() == errc::file_replaced);
  const auto shutdown = registry->shut_down({});
  app.settle();
  CHECK(shutdown->report().clean());
}

}  // namespace
}  // namespace statehouse::test
