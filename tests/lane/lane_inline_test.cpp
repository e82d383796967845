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

TEST_CASE_METHOD(
    BothPrepared,
    "inline: what took long on the calling thread runs on database threads until it was quick there, again and again") {
  const CallOptions here{.inline_read = true};
  const auto run_here = [&] {
    Caller one(request(kinds::statement, here), "query", nullptr);
    return lane->run_inline(one);
  };
  const auto run_there = [&](int times) {
    for (int i = 0; i < times; ++i) {
      lane->submit(caller(request(kinds::statement, here), "query"));
      settle();
    }
  };
  CHECK(run_here());
  engine.scripts["query"].call = [this] { clock->advance(1ms); };  // a page of the file that was on the disk only
  CHECK(run_here());
  CHECK_FALSE(run_here());
  engine.scripts["query"].call = nullptr;
  run_there(15);
  CHECK_FALSE(run_here());
  engine.scripts["query"].call = [this] { clock->advance(1ms); };
  run_there(1);
  engine.scripts["query"].call = nullptr;
  run_there(15);
  CHECK_FALSE(run_here());
  run_there(1);
  CHECK(run_here());
  // What nobody asks to run here is not looked at.
  engine.scripts["query"].call = [this] { clock->advance(1ms); };
  ask("query");
  settle();
  CHECK(run_here());
  check_all_clean();
}

TEST_CASE_METHOD(BothPrepared,
                 "inline: what has given up there is not tried again, however it runs on database threads") {
  const CallOptions here{.inline_read = true};
  engine.scripts["query"].heavy = true;
  Caller& one = caller(request(kinds::statement, here), "query");
  CHECK_FALSE(lane->run_inline(one));
  engine.scripts["query"].heavy = false;
  engine.scripts["query"].call = [this] { clock->advance(1ms); };
  lane->submit(one);
  settle();
  engine.scripts["query"].call = nullptr;
  for (int i = 0; i < 20; ++i) {
    lane->submit(caller(request(kinds::statement, here), "query"));
    settle();
  }
  // Nor when many others have taken long.
  for (int i = 0; i < 100; ++i) {
    const std::string other = "other " + std::to_string(i);
    engine.scripts[other].call = [this] { clock->advance(1ms); };
    lane->submit(caller(request(kinds::statement, here), other));
    settle();
  }
  CHECK_FALSE(runs());
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
