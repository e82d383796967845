#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace statehouse::server {

/// A request target taken apart and percent-decoded. All text is UTF-8 without NUL.
struct RequestTarget {
  std::vector<std::string> segments;                            ///< "/a/b%20c" gives "a", "b c".
  std::vector<std::pair<std::string, std::string>> parameters;  ///< '+' means a blank.

  /// The first of that name.
  std::optional<std::string> parameter(std::string_view name) const;
};

/// Throws HttpError 400.
RequestTarget parse_target(std::string_view target);

}  // namespace statehouse::server
