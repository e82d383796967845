#pragma once

#include <span>
#include <string>
#include <string_view>

#include "statehouse/migration.hpp"

namespace statehouse::detail {

/// Of `content`, UTF-8, without the characters in `ignored`.
Checksum checksum_of(std::string_view content, std::u32string_view ignored = {});
std::string to_hex(std::span<const std::byte> bytes);

/// In what `content` differs from the content that had `recorded` as its checksum, if that is only line ends, a byte
/// order mark or blanks at line or file ends: "line ends (it had CRLF)". Empty when it is something else.
std::string explain_difference(std::string_view content, const Checksum& recorded, std::u32string_view ignored = {});

}  // namespace statehouse::detail
