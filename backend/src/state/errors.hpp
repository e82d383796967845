#pragma once

#include <cerrno>
#include <exception>
#include <string>
#include <string_view>

#include "base/error_text.hpp"
#include "statehouse/error.hpp"

// Errors that are made in several places.

namespace statehouse::detail {

/// Why a database is closed.
enum class ending : unsigned char { shutdown, close, removal };

inline Error closed_error(std::string_view database = {}, ending why = ending::shutdown) {
  const char* const text = why == ending::shutdown ? "shutdown has begun, nothing is reopened"
                           : why == ending::close  ? "the database was closed; get_pool opens it again"
                                                   : "the database was removed; get_pool makes a new one";
  return {errc::closed, text, {std::string(database), {}}};
}

inline Error forked_error(std::string_view database = {}) {
  return {errc::forked_process, "called in a forked child: make a new AppState there", {std::string(database), {}}};
}

/// `what`: "cancelled while ...".
inline Error cancelled_error(const std::string& what, std::string_view database) {
  return {boost::system::error_code(ECANCELED, boost::system::system_category()), what, {std::string(database), {}}};
}

}  // namespace statehouse::detail
