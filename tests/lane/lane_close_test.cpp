// What a lane that is closed says, and to whom.

#include "error_of.hpp"
#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

TEST_CASE_METHOD(LaneTest, "close: the first one says why, also to those who come after a second one") {
  const auto close_for = [this](const char* why) { lane->close(std::make_exception_ptr(Error(errc::closed, why))); };
  close_for("its file is gone");
  close_for("the service ends");
  Caller& late = ask("late");
  settle();
  CHECK(contains(late.text(), "its file is gone"));
}

TEST_CASE_METHOD(LaneTest, "close: a stop that came when nothing ran any more does not stop the last checkpoint") {
  detail::Interrupter* stop = nullptr;  // as the opening has it, which may be told to stop when it is over
  call(kinds::lone_statement, [&](Connection& connection) { stop = &detail::session_of(connection).interrupter(); });
  settle();
  REQUIRE(stop != nullptr);
  lane->close(std::make_exception_ptr(Error(errc::closed, "over")));
  REQUIRE(lane->parked());
  stop->request(detail::stop_reason::shutdown);
  lane->close_connections();
  CHECK(engine.ran.back() == "last checkpoint");
}

}  // namespace
}  // namespace statehouse::test
