#include "regexp/translator.hpp"

#include <cstdint>
#include <optional>
#include <variant>

#include "regexp/brackets.hpp"
#include "regexp/characters.hpp"
#include "regexp/charset.hpp"
#include "regexp/escapes.hpp"
#include "regexp/groups.hpp"
#include "regexp/reader.hpp"
#include "regexp/writer.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  TranslatedPattern run() {
    for (in_.skip_blanks(); !in_.at_end(); in_.skip_blanks()) step();
    groups_.finish();
    return {out_.text(), out_.size()};
  }

 private:
  void step();
  void anchor(const char* text_end, const char* line_end);
  void emit(const Escape& atom);
  void repeat(std::uint32_t least, std::optional<std::uint32_t> most);
  void counted_repeat();
  std::uint32_t count();

  RegexpReader in_;
  RegexpWriter out_;
  RegexpGroups groups_{in_, out_};
};

void Translator::step() {
  switch (in_.peek()) {
    case '(': return groups_.open();
    case ')': return groups_.close();
    case '*': return repeat(0, std::nullopt);
    case '+': return repeat(1, std::nullopt);
    case '?': return repeat(0, 1);
    case '{': return counted_repeat();
    case '^': return anchor("\\A", "(?m:^)");
    case '$': return anchor("\\z", "(?m:$)");
    case '[': return emit(read_bracket(in_, out_));
    case '\\': return emit(read_escape(in_));
    case '|': in_.next(); return out_.alternative();
    case '.':
      in_.require_unicode("'.'");
      in_.next();
      return out_.atom(in_.flags().dot_all ? "(?s:.)" : in_.flags().crlf ? "[^\\r\\n]" : "[^\\n]");
    default: return out_.literal(in_.next());
  }
}

void Translator::emit(const Escape& atom) {
  if (const auto* c = std::get_if<char32_t>(&atom))
    out_.literal(*c);
  else if (const auto* set = std::get_if<CharSet>(&atom))
    out_.atom(set->to_re2(in_.flags().ignore_case), set->cost());
  else
    out_.atom(std::get<Assertion>(atom).re2);
}

void Translator::anchor(const char* text_end, const char* line_end) {
  const RegexpFlags& flags = in_.flags();
  if (flags.multi_line && flags.crlf) in_.fail("'^' and '$' under (?Rm) are not supported");
  in_.next();
  out_.atom(flags.multi_line ? line_end : text_end);
}

/// At the last character of the operator.
void Translator::repeat(std::uint32_t least, std::optional<std::uint32_t> most) {
  if (!out_.has_atom()) in_.fail("nothing to repeat");
  in_.next();
  in_.eat(U"?");  // Lazy or greedy only changes where the match is.
  out_.repeat(least, most);
}

void Translator::counted_repeat() {
  const std::size_t open = in_.position();
  if (!out_.has_atom()) in_.fail("nothing to repeat");
  in_.next();
  const std::uint32_t least = count();
  std::optional<std::uint32_t> most = least;
  if (in_.eat(U",")) {
    in_.skip_blanks();
    most.reset();
    if (in_.peek() != '}') most = count();
  }
  if (in_.peek() != '}') in_.fail("unclosed repetition", open);
  if (most && *most < least) in_.fail("invalid repetition: the first count is the larger", open);
  repeat(least, most);
}

/// White space around it is allowed under any flags.
std::uint32_t Translator::count() {
  const auto blanks = [this] {
    for (in_.skip_blanks(); is_white_space(in_.peek()); in_.skip_blanks()) in_.next();
  };
  blanks();
  const std::size_t start = in_.position();
  std::uint64_t value = 0;
  for (; is_ascii_digit(in_.peek()); in_.skip_blanks()) {
    value = value * 10 + (in_.next() - U'0');
    if (value > UINT32_MAX) in_.fail("a repetition count is too large", start);
  }
  if (in_.position() == start) in_.fail("a repetition count is missing", start);
  blanks();
  return static_cast<std::uint32_t>(value);
}

}  // namespace

TranslatedPattern to_re2(std::string_view pattern) {
  return Translator(pattern).run();
}

}  // namespace statehouse::detail
