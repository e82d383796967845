// Which part of what waits one connection takes into a batch, and leaves the others theirs.

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

struct TwoSharing : LaneTest {
  TwoSharing() : LaneTest(connection_role::reader, 2) {}
};

TEST_CASE_METHOD(TwoSharing, "part: a connection that somebody holds takes none") {
  Caller& holder = acquire();
  run_callers();
  REQUIRE(holder.lease);
  for (int i = 0; i < 4; ++i) ask("query");
  settle();
  CHECK(engine.ran == Texts{"BEGIN", "query", "query", "query", "query", "COMMIT"});
  holder.lease.reset();
  check_all_clean();
}

TEST_CASE_METHOD(TwoSharing, "part: what another batch is still to take is no part of it") {
  // Nine wait. Reader 1 is to take five, and has taken three. Of the six that wait two are its; of the other four
  // reader 2 takes half, and then, as that one may come back, one by one.
  engine.scripts["third"].call = [&] {
    elsewhere([&] {
      CHECK(step_db());
      CHECK(engine.ran == Texts{"BEGIN", "1", "2", "third", "BEGIN", "4", "5", "COMMIT", "6", "7", "8", "9"});
    });
  };
  for (const char* const text : {"1", "2", "third", "4", "5", "6", "7", "8", "9"}) ask(text);
  REQUIRE(step_db());
  check_all_clean();
}

TEST_CASE_METHOD(TwoSharing, "part: a batch that came to its end early is still to take nothing") {
  // Reader 1 is leased. Reader 2 is to take four; three of them are cancelled while the first one runs, and the lease
  // is given back. Of the four that come then reader 1, which is free for longer, takes half.
  Caller& holder = acquire();
  run_callers();
  engine.scripts["first"].call = [&] {
    elsewhere([&] {
      for (std::size_t i = 2; i < 5; ++i) cancel(callers[i]);
      holder.lease.reset();
    });
  };
  for (const char* const text : {"first", "never", "never", "never"}) ask(text);
  settle();
  REQUIRE(engine.ran == Texts{"BEGIN", "first", "COMMIT"});
  engine.ran.clear();
  for (const char* const text : {"1", "2", "3", "4"}) ask(text);
  REQUIRE(step_db());
  CHECK(engine.ran == Texts{"BEGIN", "1", "2", "COMMIT", "3", "4"});
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
