#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace statehouse::detail {

/// Without Unicode's White_Space characters at both ends. `text` is UTF-8.
std::string_view trim(std::string_view text) noexcept;

/// `text` without the characters that are in `unwanted`. `text` is UTF-8.
std::string without_characters(std::string_view text, std::u32string_view unwanted);

/// The line that `offset` lies in, from 1.
std::size_t line_of(std::string_view text, std::size_t offset) noexcept;

}  // namespace statehouse::detail
