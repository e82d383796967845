#pragma once

#include <string_view>

#include "regexp/charset.hpp"

namespace statehouse::detail {

// The classes of characters that Rust's syntax has names for.

/// What \d, \s and \w match.
CharSet digit_class();
CharSet space_class();
CharSet word_class();

bool is_posix_class(std::string_view name) noexcept;
/// The ASCII class `[:name:]`; `name` is one, such as "alpha".
CharSet posix_class(std::string_view name);

/// `\p{name}` for a general category or a script. A name that is neither is for RE2 to refuse. Throws RegexpError if
/// the name is empty.
CharSet property_class(std::string_view name);

}  // namespace statehouse::detail
