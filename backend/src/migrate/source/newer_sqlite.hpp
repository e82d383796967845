#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace statehouse::detail {

/// Something that SQLite answers with NULL, and without a word, where it is older than `since`.
struct NewerFeature {
  std::string name;        ///< "the modifier 'subsec'"
  std::string_view since;  ///< "3.42.0"
  std::string_view text;   ///< The argument, in the script.
};

/// The first in a script that SQLite `version` (3040001 for 3.40.1) does not have yet: modifiers and formats of the
/// date functions. Functions that it lacks need no look beforehand: calling one is an error.
std::optional<NewerFeature> find_newer_feature(std::string_view script, int version);

}  // namespace statehouse::detail
