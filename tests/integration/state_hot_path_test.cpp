// In an executable of its own: allocations.cpp replaces operator new.
#include <boost/asio/post.hpp>

#include "../../tools/bench/allocations.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

TEST_CASE("get_pool: on an open database it allocates nothing and does not suspend") {
  constexpr int calls = 10'000;
  SteppedApp app;
  app.open("context");
  app.open("another");
  const DbInstances& databases = app.state->db_instances;
  std::uint64_t allocated = 0;
  bool others_ran = false;
  bool overtaken = true;
  const auto handler = [&]() -> asio::awaitable<void> {
    // Asio keeps the memory of finished coroutine frames for the next ones.
    for (int i = 0; i < 3; ++i) co_await databases.get_pool("context");
    asio::post(app.io, [&] { others_ran = true; });
    const bench::AllocationCount count;
    for (int i = 0; i < calls; ++i) {
      const Pool pool = co_await databases.get_pool(i % 2 == 0 ? "context" : "another.db");
      if (pool.name().empty()) co_return;
    }
    allocated = count.value();
    overtaken = others_ran;
  };
  app.run(handler);
  CHECK(allocated == 0);
  CHECK_FALSE(overtaken);  // it has not gone through the executor
  CHECK(others_ran);
}

TEST_CASE("try_get_pool: allocates nothing on an open database") {
  SteppedApp app;
  app.open("context");
  const bench::AllocationCount count;
  std::size_t found = 0;
  for (int i = 0; i < 1000; ++i) found += app.state->db_instances.try_get_pool("context") ? 1 : 0;
  CHECK(count.value() == 0);
  CHECK(found == 1000);
}

}  // namespace
}  // namespace statehouse::test
