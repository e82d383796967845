#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace statehouse::cli {

/// The characters of `text`, or nothing when it is not UTF-8.
std::optional<std::u32string> characters_of(std::string_view text);

/// `text` with U+FFFD in place of each byte that is not UTF-8.
std::string to_valid_utf8(std::string_view text);

}  // namespace statehouse::cli
