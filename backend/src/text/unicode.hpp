#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace statehouse::detail {

struct Character {
  char32_t value;
  std::size_t length;  ///< In bytes; of the maximal broken part when not valid.
  bool valid;
};

/// Unicode 15, table 3-7. `text` is not empty.
Character first_character(std::string_view text) noexcept;

/// Where `text` stops being UTF-8.
std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept;

/// `text` with U+FFFD in place of what is not UTF-8, one for each maximal broken part.
std::string to_valid_utf8(std::string_view text);

/// Unicode's White_Space, from the first to the last of each range.
inline constexpr std::array<std::pair<char32_t, char32_t>, 10> white_space{{{0x9, 0xD},
                                                                            {0x20, 0x20},
                                                                            {0x85, 0x85},
                                                                            {0xA0, 0xA0},
                                                                            {0x1680, 0x1680},
                                                                            {0x2000, 0x200A},
                                                                            {0x2028, 0x2029},
                                                                            {0x202F, 0x202F},
                                                                            {0x205F, 0x205F},
                                                                            {0x3000, 0x3000}}};
bool is_white_space(char32_t c) noexcept;

}  // namespace statehouse::detail
