#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "statehouse/migration.hpp"

namespace statehouse::detail {

/// What the comments of another migration tool make of a script.
struct ForeignFormat {
  std::string tool;         ///< "goose"; empty where there is no such comment.
  std::string_view marker;  ///< The comment that tells, in the script.
  /// The other direction's part: that tool would not run it together with the rest. None where all of the script is one
  /// part, which is right as it stands.
  bool runs_too_much = false;
};

/// Looks for the comments by which other tools keep both directions, or several migrations, in one file. `kind` is what
/// the file is for here.
ForeignFormat find_foreign_format(std::string_view script, migration_kind kind);

}  // namespace statehouse::detail
