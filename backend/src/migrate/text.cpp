#include "migrate/text.hpp"

#include <algorithm>

namespace statehouse::detail {
namespace {

struct Character {
  char32_t value;
  std::size_t length;  // of the maximal broken part when not valid
  bool valid;
};

unsigned char byte_at(std::string_view text, std::size_t index) {
  return index < text.size() ? static_cast<unsigned char>(text[index]) : 0;
}

/// Unicode 15, table 3-7. `text` is not empty.
Character first_character(std::string_view text) {
  const unsigned char lead = byte_at(text, 0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {0, 1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what is beyond U+10FFFF.
  const unsigned char lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t value = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned char next = byte_at(text, i);
    const bool fits = i == 1 ? next >= lowest && next <= highest : next >= 0x80 && next <= 0xBF;
    if (!fits) return {0, i, false};
    value = (value << 6) | (next & 0x3Fu);
  }
  return {value, length, true};
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    if (!character.valid) return at;
    at += character.length;
  }
  return std::nullopt;
}

std::string to_valid_utf8(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_character(text);
    result += character.valid ? text.substr(0, character.length) : "\xEF\xBF\xBD";
    text.remove_prefix(character.length);
  }
  return result;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty()) {
    const Character character = first_character(text);
    if (!is_white_space(character.value)) break;
    text.remove_prefix(character.length);
  }
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && (byte_at(text, start) & 0xC0) == 0x80) --start;
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
