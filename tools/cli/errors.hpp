#pragma once

#include <boost/json/object.hpp>
#include <exception>

#include "output.hpp"

namespace statehouse::cli {

struct Failure {
  exit_code exit;
  json::object object;  ///< kind, version, file, line, message; null where it does not apply
};

/// What an exception means to the user.
Failure describe(const std::exception_ptr& error);

}  // namespace statehouse::cli
