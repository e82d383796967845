#pragma once

#include <cstdlib>

namespace statehouse::test {

/// Whether tests that try things at random are to try many more: with STATEHOUSE_LONG_TESTS in the environment.
inline bool long_form() {
  return std::getenv("STATEHOUSE_LONG_TESTS") != nullptr;
}

}  // namespace statehouse::test
