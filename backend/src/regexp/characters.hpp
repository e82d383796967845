#pragma once

#include <string>

namespace statehouse::detail {

constexpr bool is_ascii_digit(char32_t c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_ascii_letter(char32_t c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Appends `c` so that RE2 takes it literally, inside and outside brackets.
void append_literal(std::string& re2, char32_t c);

}  // namespace statehouse::detail
