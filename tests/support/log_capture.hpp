#pragma once

#include "statehouse/testing/log_capture.hpp"

namespace statehouse::test {

using testing::LogCapture;

}  // namespace statehouse::test
