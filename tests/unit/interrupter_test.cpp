#include "engine/interrupter.hpp"

#include <catch2/catch_test_macros.hpp>

#include "statehouse/testing/manual_clock.hpp"

namespace statehouse::test {
namespace {

using detail::Interrupter;
using detail::stop_reason;

TEST_CASE("interrupter: a connection is woken until it is detached, and by nobody else's detaching") {
  Interrupter interrupter(std::make_shared<testing::ManualClock>());
  const int own = 0;
  const int other = 0;
  int woken = 0;
  interrupter.attach(&own, [&] { ++woken; });
  interrupter.request(stop_reason::cancelled);
  CHECK(woken == 1);
  interrupter.detach(&other);
  interrupter.request(stop_reason::cancelled);
  CHECK(woken == 2);
  interrupter.detach(&own);
  interrupter.request(stop_reason::cancelled);
  CHECK(woken == 2);
}

TEST_CASE("interrupter: a request for one operation wakes no other") {
  Interrupter interrupter(std::make_shared<testing::ManualClock>());
  const int own = 0;
  const int other = 0;
  int woken = 0;
  interrupter.attach(&own, [&] { ++woken; });
  interrupter.arm(Clock::time_point::max(), &own);
  interrupter.request(stop_reason::cancelled, &other);
  CHECK(woken == 0);
  CHECK_FALSE(interrupter.must_stop());
  interrupter.request(stop_reason::cancelled, &own);
  CHECK(woken == 1);
  CHECK(interrupter.must_stop());
}

}  // namespace
}  // namespace statehouse::test
