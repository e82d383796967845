#include "regexp/characters.hpp"

#include <array>
#include <cstdio>

namespace statehouse::detail {

void append_literal(std::string& re2, char32_t c) {
  if (is_ascii_letter(c) || is_ascii_digit(c)) {
    re2 += static_cast<char>(c);
    return;
  }
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "\\x{%x}", static_cast<unsigned>(c));
  re2 += text.data();
}

}  // namespace statehouse::detail
