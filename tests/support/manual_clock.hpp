#pragma once

#include "statehouse/testing/manual_clock.hpp"

namespace statehouse::test {

using testing::ManualClock;

}  // namespace statehouse::test
