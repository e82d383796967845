#include "regexp/reader.hpp"

#include <algorithm>

#include "regexp/error.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

std::u32string decode(std::string_view text) {
  std::u32string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    result += character.value;
    text.remove_prefix(character.length);
  }
  return result;
}

}  // namespace

RegexpReader::RegexpReader(std::string_view pattern) : pattern_(decode(pattern)) {}

char32_t RegexpReader::take(const char* missing) {
  if (at_end()) fail(missing);
  return next();
}

bool RegexpReader::eat(std::u32string_view expected) {
  if (pattern_.compare(position_, expected.size(), expected) != 0) return false;
  position_ += expected.size();
  return true;
}

void RegexpReader::skip_blanks() {
  for (; flags_.verbose && !at_end(); ++position_) {
    if (peek() == '#')
      position_ = std::min(pattern_.find(U'\n', position_), pattern_.size() - 1);
    else if (!is_white_space(peek()))
      return;
  }
}

void RegexpReader::require_unicode(const char* what) const {
  if (!flags_.unicode) fail(std::string(what) + " is not possible under (?-u)");
}

void RegexpReader::fail(const std::string& reason, std::size_t position) const {
  throw RegexpError(reason + " at character " + std::to_string(position + 1));
}

}  // namespace statehouse::detail
