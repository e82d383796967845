#include "regexp/translator.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "regexp/characters.hpp"
#include "regexp/charset.hpp"
#include "regexp/error.hpp"
#include "regexp/named_classes.hpp"
#include "regexp/writer.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

/// Rust's limit.
constexpr std::size_t max_bracket_depth = 250;
/// Up to 1 ms of work each, so no more than 100 in a pattern.
constexpr std::uint64_t set_operator_cost = 1000;

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

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(decode(pattern)) {}

  std::string run() {
    for (skip_blanks(); !at_end(); skip_blanks()) step();
    if (!groups_.empty()) fail("unclosed group", groups_.back().position);
    return out_.text();
  }

 private:
  struct Flags {
    bool ignore_case = false, multi_line = false, dot_all = false, verbose = false, crlf = false, swap_greed = false,
         unicode = true;
  };
  struct Group {
    std::size_t position;
    Flags outer_flags;
  };
  struct Assertion {
    const char* re2;
  };
  using Escape = std::variant<char32_t, CharSet, Assertion>;

  // Reading

  bool at_end() const noexcept { return position_ == pattern_.size(); }

  /// NUL at the end: compare it with something else only.
  char32_t peek() const noexcept { return at_end() ? U'\0' : pattern_[position_]; }

  char32_t take(const char* missing) {
    if (at_end()) fail(missing);
    return pattern_[position_++];
  }

  bool eat(std::u32string_view expected) {
    if (pattern_.compare(position_, expected.size(), expected) != 0) return false;
    position_ += expected.size();
    return true;
  }

  void skip_blanks() {
    for (; flags_.verbose && !at_end(); ++position_) {
      if (peek() == '#')
        position_ = std::min(pattern_.find(U'\n', position_), pattern_.size() - 1);
      else if (!is_white_space(peek()))
        return;
    }
  }

  [[noreturn]] void fail(const std::string& reason, std::size_t position) const {
    throw RegexpError(reason + " at character " + std::to_string(position + 1));
  }
  [[noreturn]] void fail(const std::string& reason) const { fail(reason, position_); }

  void require_unicode(const char* what) const {
    if (!flags_.unicode) fail(std::string(what) + " is not possible under (?-u)");
  }

  void step();
  void anchor(const char* text_end, const char* line_end);
  void emit(const Escape& atom);
  void open_group();
  void close_group();
  void group_name();
  void group_flags(std::size_t open);
  bool& flag(Flags& flags, char32_t letter) const;
  void repeat(std::uint32_t least, std::optional<std::uint32_t> most);
  void counted_repeat();
  std::uint32_t count();
  Escape escape();
  char32_t hex(std::size_t digits);
  CharSet property(bool negated);
  CharSet perl_class(char32_t letter);
  Assertion word_boundary();
  CharSet bracket(std::size_t depth);
  CharSet bracket_item();
  Escape bracket_end_point();
  std::optional<CharSet> posix_class();

  const std::u32string pattern_;
  std::size_t position_ = 0;
  Flags flags_;
  std::vector<Group> groups_;
  std::set<std::u32string> names_;
  RegexpWriter out_;
};

void Translator::step() {
  switch (peek()) {
    case '(': return open_group();
    case ')': return close_group();
    case '*': return repeat(0, std::nullopt);
    case '+': return repeat(1, std::nullopt);
    case '?': return repeat(0, 1);
    case '{': return counted_repeat();
    case '^': return anchor("\\A", "(?m:^)");
    case '$': return anchor("\\z", "(?m:$)");
    case '[': return emit(bracket(0));
    case '\\': return emit(escape());
    case '|': ++position_; return out_.alternative();
    case '.':
      require_unicode("'.'");
      ++position_;
      return out_.atom(flags_.dot_all ? "(?s:.)" : flags_.crlf ? "[^\\r\\n]" : "[^\\n]");
    default: return out_.literal(pattern_[position_++]);
  }
}

void Translator::emit(const Escape& atom) {
  if (const auto* c = std::get_if<char32_t>(&atom))
    out_.literal(*c);
  else if (const auto* set = std::get_if<CharSet>(&atom))
    out_.atom(set->to_re2(flags_.ignore_case), set->cost());
  else
    out_.atom(std::get<Assertion>(atom).re2);
}

void Translator::anchor(const char* text_end, const char* line_end) {
  if (flags_.multi_line && flags_.crlf) fail("'^' and '$' under (?Rm) are not supported");
  ++position_;
  out_.atom(flags_.multi_line ? line_end : text_end);
}

// Groups. None captures: all that counts is whether there is a match.

void Translator::open_group() {
  const std::size_t open = position_++;
  skip_blanks();
  if (eat(U"?=") || eat(U"?!") || eat(U"?<=") || eat(U"?<!")) fail("look-around is not supported", open);
  if (eat(U"?P<") || eat(U"?<"))
    group_name();
  else if (eat(U"?"))
    return group_flags(open);
  groups_.push_back({open, flags_});
  out_.open_group();
}

void Translator::close_group() {
  if (groups_.empty()) fail("unopened group");
  ++position_;
  flags_ = groups_.back().outer_flags;
  groups_.pop_back();
  out_.close_group();
}

void Translator::group_name() {
  const std::size_t start = position_;
  for (char32_t c = 0; c != '>';) {
    c = take("unclosed group name");
    const bool first = position_ == start + 1;
    const bool fits = is_ascii_letter(c) || c == '_' || c > 0x7F ||
                      (!first && (is_ascii_digit(c) || c == '.' || c == '[' || c == ']'));
    if (!fits && (first || c != '>')) fail("invalid group name", start);
  }
  if (!names_.insert(pattern_.substr(start, position_ - start)).second) fail("duplicate group name", start);
}

/// After `(?`: either `flags:`, which opens a group, or `flags)`, which holds until the end of the group around.
void Translator::group_flags(std::size_t open) {
  Flags flags = flags_;
  std::u32string seen;
  char32_t c = take("unclosed group");
  for (; c != ':' && c != ')'; c = take("unclosed group")) {
    if (seen.find(c) != seen.npos) fail("duplicate group flag", position_ - 1);
    if (c != '-') flag(flags, c) = seen.find(U'-') == seen.npos;
    seen += c;
  }
  if (seen.ends_with(U'-')) fail("a group flag is missing after '-'", position_ - 1);
  if (!flags.unicode && flags.ignore_case) fail("(?i-u) is not supported", open);
  if (c == ':') {
    groups_.push_back({open, flags_});
    out_.open_group();
  } else if (seen.empty()) {
    fail("empty group flags", open);
  }
  // RE2 needs to know only about case: the other flags are in what is written for each atom.
  if (c == ')' || flags.ignore_case != flags_.ignore_case) out_.ignore_case(flags.ignore_case);
  flags_ = flags;
}

bool& Translator::flag(Flags& flags, char32_t letter) const {
  switch (letter) {
    case 'i': return flags.ignore_case;
    case 'm': return flags.multi_line;
    case 's': return flags.dot_all;
    case 'x': return flags.verbose;
    case 'R': return flags.crlf;
    case 'U': return flags.swap_greed;
    case 'u': return flags.unicode;
    default: fail("unknown group flag", position_ - 1);
  }
}

// Repetitions

/// At the last character of the operator.
void Translator::repeat(std::uint32_t least, std::optional<std::uint32_t> most) {
  if (!out_.has_atom()) fail("nothing to repeat");
  ++position_;
  eat(U"?");  // Lazy or greedy only changes where the match is.
  out_.repeat(least, most);
}

void Translator::counted_repeat() {
  const std::size_t open = position_;
  if (!out_.has_atom()) fail("nothing to repeat");
  ++position_;
  const std::uint32_t least = count();
  std::optional<std::uint32_t> most = least;
  if (eat(U",")) {
    skip_blanks();
    most.reset();
    if (peek() != '}') most = count();
  }
  if (peek() != '}') fail("unclosed repetition", open);
  if (most && *most < least) fail("invalid repetition: the first count is the larger", open);
  repeat(least, most);
}

/// White space around it is allowed under any flags.
std::uint32_t Translator::count() {
  const auto blanks = [this] {
    for (skip_blanks(); is_white_space(peek()); skip_blanks()) ++position_;
  };
  blanks();
  const std::size_t start = position_;
  std::uint64_t value = 0;
  for (; is_ascii_digit(peek()); skip_blanks()) {
    value = value * 10 + (pattern_[position_++] - U'0');
    if (value > UINT32_MAX) fail("a repetition count is too large", start);
  }
  if (position_ == start) fail("a repetition count is missing", start);
  blanks();
  return static_cast<std::uint32_t>(value);
}

// Escapes

/// At a backslash.
Translator::Escape Translator::escape() {
  const std::size_t start = position_++;
  const char32_t c = take("the pattern ends in a backslash");
  switch (c) {
    case 'a': return U'\a';
    case 'f': return U'\f';
    case 'n': return U'\n';
    case 'r': return U'\r';
    case 't': return U'\t';
    case 'v': return U'\v';
    case 'x': return hex(2);
    case 'u': return hex(4);
    case 'U': return hex(8);
    case 'p': return property(false);
    case 'P': return property(true);
    case 'd':
    case 'D':
    case 's':
    case 'S':
    case 'w':
    case 'W': return perl_class(c);
    case 'A': return Assertion{"\\A"};
    case 'z': return Assertion{"\\z"};
    case 'b': return word_boundary();
    case 'B': return Assertion{"\\B"};
    case '<':
    case '>': fail("\\< and \\> are not supported (use \\b)", start);
    default: break;
  }
  if (is_ascii_digit(c)) fail("backreferences are not supported", start);
  if (c > 0x7F || is_ascii_letter(c)) fail("unknown escape sequence", start);
  return c;
}

/// After `\x`, `\u` or `\U`: so many digits, or any number of them in braces.
char32_t Translator::hex(std::size_t digits) {
  const std::size_t start = position_;
  const bool braced = eat(U"{");
  std::uint32_t value = 0;
  for (std::size_t read = 0; braced || read < digits; ++read) {
    skip_blanks();
    const char32_t c = take("unfinished hexadecimal escape");
    if (braced && read > 0 && c == '}') break;
    const char32_t lower = c | 0x20;
    if (!is_ascii_digit(c) && (lower < 'a' || lower > 'f')) fail("invalid hexadecimal digit", position_ - 1);
    value = value * 16 + (is_ascii_digit(c) ? c - U'0' : lower - U'a' + 10);
    if (value > 0x10FFFF) fail("this is not a Unicode character", start);
  }
  if (value >= 0xD800 && value <= 0xDFFF) fail("this is not a Unicode character", start);
  if (digits == 2 && !braced && value > 0x7F) require_unicode("a byte");
  return value;
}

/// After `\p` or `\P`: one letter or a name in braces.
CharSet Translator::property(bool negated) {
  require_unicode("a Unicode class");
  const std::size_t start = position_ - 2;
  skip_blanks();
  const bool braced = eat(U"{");
  std::string name;
  for (bool more = true; more; more = braced) {
    skip_blanks();
    const char32_t c = take("unfinished Unicode class");
    if (braced && c == '}') break;
    if (!is_ascii_letter(c) && !is_ascii_digit(c) &&
        (!braced || std::u32string_view(U" _-=:").find(c) == std::u32string_view::npos))
      fail("unknown Unicode class", start);
    name += static_cast<char>(c);
  }
  CharSet set = property_class(name);
  return negated ? set.negate() : set;
}

CharSet Translator::perl_class(char32_t letter) {
  CharSet set;
  switch (letter | 0x20) {
    case 'd': set = flags_.unicode ? digit_class() : detail::posix_class("digit"); break;
    case 's': set = flags_.unicode ? space_class() : detail::posix_class("space"); break;
    default: set = flags_.unicode ? word_class() : detail::posix_class("word"); break;
  }
  if (letter >= 'a') return set;
  require_unicode("a negated class");
  return set.negate();
}

/// After `\b`, which may be followed by `{start}` and the like; anything else in braces is a repetition.
Translator::Assertion Translator::word_boundary() {
  const std::size_t start = position_;
  if (eat(U"{")) {
    skip_blanks();
    if (is_ascii_letter(peek()) || peek() == '-') fail("\\b{...} is not supported (use \\b)", start - 2);
  }
  position_ = start;
  return {"\\b"};
}

// Bracketed classes

/// At `[`. Binds, from the loosest: `^`, then `&&`, `--` and `~~` from left to right, then union.
CharSet Translator::bracket(std::size_t depth) {
  const std::size_t open = position_++;
  if (depth > max_bracket_depth) fail("character classes are nested too deeply", open);
  skip_blanks();
  const bool negated = eat(U"^");
  if (negated) require_unicode("a negated class");
  skip_blanks();
  CharSet left, operand;
  char32_t pending = 0;
  const std::size_t first = position_;
  for (; eat(U"-"); skip_blanks()) operand.unite(CharSet::range('-', '-'));
  if (position_ == first && eat(U"]")) operand.unite(CharSet::range(']', ']'));
  for (;;) {
    skip_blanks();
    if (at_end()) fail("unclosed character class", open);
    const char32_t next = eat(U"&&") ? '&' : eat(U"--") ? '-' : eat(U"~~") ? '~' : eat(U"]") ? ']' : 0;
    if (next == 0) {
      if (const std::optional<CharSet> ascii = posix_class())
        operand.unite(*ascii);
      else
        operand.unite(peek() == '[' ? bracket(depth + 1) : bracket_item());
      continue;
    }
    if (pending == 0)
      left = std::move(operand);
    else if (pending == '&')
      left.intersect(operand);
    else if (pending == '-')
      left.intersect(operand.negate());
    else
      left = left.symmetric_difference(operand);
    if (next == ']') return negated ? left.negate() : left;
    out_.spend(set_operator_cost);
    pending = next;
    operand = {};
  }
}

/// Takes `[:alpha:]` and its like; anything else that looks similar is a class inside a class.
std::optional<CharSet> Translator::posix_class() {
  const std::size_t start = position_;
  if (eat(U"[:")) {
    const bool negated = eat(U"^");
    std::string name;
    while (is_ascii_letter(peek())) name += static_cast<char>(pattern_[position_++]);
    if (is_posix_class(name) && eat(U":]")) {
      if (negated) require_unicode("a negated class");
      CharSet set = detail::posix_class(name);
      return negated ? set.negate() : set;
    }
  }
  position_ = start;
  return std::nullopt;
}

/// A character, a range or an escaped class. A hyphen that another one or the end follows belongs to that.
CharSet Translator::bracket_item() {
  const std::size_t start = position_;
  const Escape low = bracket_end_point();
  const auto* from = std::get_if<char32_t>(&low);
  skip_blanks();
  const std::size_t hyphen = position_;
  if (eat(U"-")) {
    skip_blanks();
    if (at_end()) fail("unclosed character class", start);
    if (peek() != ']' && peek() != '-') {
      const Escape high = bracket_end_point();
      const auto* to = std::get_if<char32_t>(&high);
      if (from == nullptr || to == nullptr) fail("a range must be between two characters", start);
      if (*to < *from) fail("invalid range: the first character is the larger", start);
      return CharSet::range(*from, *to);
    }
  }
  position_ = hyphen;
  return from != nullptr ? CharSet::range(*from, *from) : std::get<CharSet>(low);
}

Translator::Escape Translator::bracket_end_point() {
  const std::size_t start = position_;
  Escape item = peek() == '\\' ? escape() : Escape{take("unclosed character class")};
  if (std::holds_alternative<Assertion>(item)) fail("an assertion cannot be in a character class", start);
  if (const auto* c = std::get_if<char32_t>(&item); c != nullptr && *c > 0x7F) require_unicode("this class");
  return item;
}

}  // namespace

std::string to_re2(std::string_view pattern) {
  return Translator(pattern).run();
}

}  // namespace statehouse::detail
