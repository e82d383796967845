#include "utf8.hpp"

#include <boost/locale/utf.hpp>

namespace statehouse::cli {

namespace utf = boost::locale::utf;

std::optional<std::u32string> characters_of(std::string_view text) {
  std::u32string characters;
  for (auto at = text.begin(); at != text.end();) {
    const utf::code_point character = utf::utf_traits<char>::decode(at, text.end());
    if (!utf::is_valid_codepoint(character)) return std::nullopt;
    characters += static_cast<char32_t>(character);
  }
  return characters;
}

std::string to_valid_utf8(std::string_view text) {
  std::string valid;
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = at;
    if (utf::is_valid_codepoint(utf::utf_traits<char>::decode(at, text.end()))) {
      valid.append(begin, at);
    } else {
      valid += "\xEF\xBF\xBD";
      at = begin + 1;
    }
  }
  return valid;
}

}  // namespace statehouse::cli
