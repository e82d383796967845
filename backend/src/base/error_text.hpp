#pragma once

#include <exception>
#include <string>

namespace statehouse::detail {

/// For a log line or a status.
inline std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace statehouse::detail
