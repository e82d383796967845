#include "text/trim.hpp"

#include <algorithm>

#include "text/unicode.hpp"

namespace statehouse::detail {

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty()) {
    const Character character = first_character(text);
    if (!is_white_space(character.value)) break;
    text.remove_prefix(character.length);
  }
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (!is_white_space(first_character(text.substr(start)).value)) break;
    text = text.substr(0, start);
  }
  return text;
}

std::string without_characters(std::string_view text, std::u32string_view unwanted) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_character(text);
    if (unwanted.find(character.value) == std::u32string_view::npos) result += text.substr(0, character.length);
    text.remove_prefix(character.length);
  }
  return result;
}

std::size_t line_of(std::string_view text, std::size_t offset) noexcept {
  return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

}  // namespace statehouse::detail
