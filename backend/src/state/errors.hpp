#pragma once

#include <cerrno>
#include <exception>
#include <string>
#include <string_view>

#include "base/error_text.hpp"
#include "statehouse/error.hpp"

// Errors that are made in several places.

namespace statehouse::detail {

inline Error closed_error(std::string_view database = {}) {
  return {errc::closed, "shutdown has begun, nothing is reopened", {std::string(database), {}}};
}

inline Error forked_error(std::string_view database = {}) {
  return {errc::forked_process, "called in a forked child: make a new AppState there", {std::string(database), {}}};
}

/// `what`: "cancelled while ...".
inline Error cancelled_error(const std::string& what, std::string_view database) {
  return {boost::system::error_code(ECANCELED, boost::system::system_category()), what, {std::string(database), {}}};
}

}  // namespace statehouse::detail
