// When a query may run on the calling thread: not past anything that a query on a database thread would wait for.

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

/// Two readers that have "query" prepared.
struct BothPrepared : LaneTest {
  BothPrepared() : LaneTest(connection_role::reader, 2) {
    for (int i = 0; i < 2; ++i) {
      ask("query");
      settle();
    }
  }
  bool runs() {
    Caller one(request(kinds::statement), "query", nullptr);
    return lane->run_inline(one);
  }
};

TEST_CASE_METHOD(BothPrepared, "inline: a query does not overtake one that has come before it") {
  REQUIRE(runs());
  ask("query");  // its thread is on its way to one reader, the other is idle
  CHECK_FALSE(runs());
  settle();
  CHECK(runs());
  check_all_clean();
}

TEST_CASE_METHOD(BothPrepared, "inline: no query begins while reads are held back") {
  REQUIRE(lane->hold_back(0ms));
  CHECK_FALSE(runs());
  lane->open_again();
  CHECK(runs());
  check_all_clean();
}

TEST_CASE_METHOD(BothPrepared, "inline: no query runs in a forked child") {
  ++context.generation;
  CHECK_FALSE(runs());
  --context.generation;
  CHECK(runs());
  check_all_clean();
}

TEST_CASE_METHOD(BothPrepared, "inline: no query of a closure runs on another connection of its own pool") {
  bool own = true;
  bool of_another = false;
  call(kinds::transaction, [&](Connection&) {
    own = runs();
    const std::shared_ptr<int> stranger = std::make_shared<int>();
    context.owner = stranger;  // as if this lane belonged to another pool
    of_another = runs();
    context.owner = owner;
  });
  settle();
  CHECK_FALSE(own);
  CHECK(of_another);
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
