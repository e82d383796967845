#pragma once

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "statehouse/error.hpp"

namespace statehouse::test {

/// The Error, or the `Kind` of it, that `f` throws; the test fails when it throws none.
template <class Kind = Error, class F>
Kind error_of(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Kind& error) {
    return error;
  }
  FAIL("no such error was thrown");
  throw std::logic_error("unreachable");
}

template <class F>
boost::system::error_code code_of(F&& f) {
  return error_of(std::forward<F>(f)).code();
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace statehouse::test
