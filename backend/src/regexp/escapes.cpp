#include "regexp/escapes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "regexp/characters.hpp"
#include "regexp/named_classes.hpp"

namespace statehouse::detail {
namespace {

/// After `\x`, `\u` or `\U`: so many digits, or any number of them in braces.
char32_t read_hex(RegexpReader& in, std::size_t digits) {
  const std::size_t start = in.position();
  const bool braced = in.eat(U"{");
  std::uint32_t value = 0;
  for (std::size_t read = 0; braced || read < digits; ++read) {
    in.skip_blanks();
    const char32_t c = in.take("unfinished hexadecimal escape");
    if (braced && read > 0 && c == '}') break;
    const char32_t lower = c | 0x20;
    if (!is_ascii_digit(c) && (lower < 'a' || lower > 'f')) in.fail("invalid hexadecimal digit", in.position() - 1);
    value = value * 16 + (is_ascii_digit(c) ? c - U'0' : lower - U'a' + 10);
    if (value > 0x10FFFF) in.fail("this is not a Unicode character", start);
  }
  if (value >= 0xD800 && value <= 0xDFFF) in.fail("this is not a Unicode character", start);
  if (digits == 2 && !braced && value > 0x7F) in.require_unicode("a byte");
  return value;
}

/// After `\p` or `\P`: one letter or a name in braces.
CharSet read_property(RegexpReader& in, bool negated) {
  in.require_unicode("a Unicode class");
  const std::size_t start = in.position() - 2;
  in.skip_blanks();
  const bool braced = in.eat(U"{");
  std::string name;
  for (bool more = true; more; more = braced) {
    in.skip_blanks();
    const char32_t c = in.take("unfinished Unicode class");
    if (braced && c == '}') break;
    if (!is_ascii_letter(c) && !is_ascii_digit(c) &&
        (!braced || std::u32string_view(U" _-=:").find(c) == std::u32string_view::npos))
      in.fail("unknown Unicode class", start);
    name += static_cast<char>(c);
  }
  CharSet set = property_class(name);
  return negated ? set.negate() : set;
}

/// After the letter.
CharSet perl_class(const RegexpReader& in, char32_t letter) {
  const bool unicode = in.flags().unicode;
  CharSet set;
  switch (letter | 0x20) {
    case 'd': set = unicode ? digit_class() : posix_class("digit"); break;
    case 's': set = unicode ? space_class() : posix_class("space"); break;
    default: set = unicode ? word_class() : posix_class("word"); break;
  }
  if (letter >= 'a') return set;
  in.require_unicode("a negated class");
  return set.negate();
}

/// After `\b`, which may be followed by `{start}` and the like; anything else in braces is a repetition.
Assertion read_word_boundary(RegexpReader& in) {
  const std::size_t start = in.position();
  if (in.eat(U"{")) {
    in.skip_blanks();
    if (is_ascii_letter(in.peek()) || in.peek() == '-') in.fail("\\b{...} is not supported (use \\b)", start - 2);
  }
  in.go_back(start);
  return {"\\b"};
}

}  // namespace

Escape read_escape(RegexpReader& in) {
  const std::size_t start = in.position();
  in.next();
  const char32_t c = in.take("the pattern ends in a backslash");
  switch (c) {
    case 'a': return U'\a';
    case 'f': return U'\f';
    case 'n': return U'\n';
    case 'r': return U'\r';
    case 't': return U'\t';
    case 'v': return U'\v';
    case 'x': return read_hex(in, 2);
    case 'u': return read_hex(in, 4);
    case 'U': return read_hex(in, 8);
    case 'p': return read_property(in, false);
    case 'P': return read_property(in, true);
    case 'd':
    case 'D':
    case 's':
    case 'S':
    case 'w':
    case 'W': return perl_class(in, c);
    case 'A': return Assertion{"\\A"};
    case 'z': return Assertion{"\\z"};
    case 'b': return read_word_boundary(in);
    case 'B': return Assertion{"\\B"};
    case '<':
    case '>': in.fail("\\< and \\> are not supported (use \\b)", start);
    default: break;
  }
  if (is_ascii_digit(c)) in.fail("backreferences are not supported", start);
  if (c > 0x7F || is_ascii_letter(c)) in.fail("unknown escape sequence", start);
  return c;
}

}  // namespace statehouse::detail
