#pragma once

#include <stdexcept>

namespace statehouse::detail {

/// A pattern that cannot be used; what() says why.
class RegexpError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace statehouse::detail
