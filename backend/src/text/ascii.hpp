#pragma once

#include <algorithm>
#include <string_view>

namespace statehouse::detail {

// Letters and digits as SQL keywords, PRAGMAs and file names compare them: ASCII only, whatever the locale.

constexpr char ascii_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

constexpr bool same_ascii(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

/// Orders by the same rule.
struct AsciiLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept {
    return std::ranges::lexicographical_compare(a, b, {}, ascii_lower, ascii_lower);
  }
};

}  // namespace statehouse::detail
