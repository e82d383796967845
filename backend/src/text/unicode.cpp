#include "text/unicode.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace statehouse::detail {
namespace {

unsigned char byte_at(std::string_view text, std::size_t index) noexcept {
  return index < text.size() ? static_cast<unsigned char>(text[index]) : 0;
}

/// Whether `text` begins with eight characters of ASCII.
bool eight_are_ascii(std::string_view text) noexcept {
  std::uint64_t eight = 0;
  if (text.size() < sizeof eight) return false;
  std::memcpy(&eight, text.data(), sizeof eight);
  return (eight & 0x8080808080808080U) == 0;
}

}  // namespace

Character first_character(std::string_view text) noexcept {
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

std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (eight_are_ascii(rest)) {
      at += 8;
      continue;
    }
    const Character character = first_character(rest);
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

bool is_white_space(char32_t c) noexcept {
  return std::ranges::any_of(white_space, [c](const auto& range) { return range.first <= c && c <= range.second; });
}

}  // namespace statehouse::detail
