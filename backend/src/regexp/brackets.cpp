#include "regexp/brackets.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "regexp/characters.hpp"
#include "regexp/escapes.hpp"
#include "regexp/named_classes.hpp"

namespace statehouse::detail {
namespace {

/// Rust's limit.
constexpr std::size_t max_bracket_depth = 250;
/// Up to 1 ms of work each, so no more than 100 in a pattern.
constexpr std::uint64_t set_operator_cost = 1000;

Escape read_end_point(RegexpReader& in) {
  const std::size_t start = in.position();
  Escape item = in.peek() == '\\' ? read_escape(in) : Escape{in.take("unclosed character class")};
  if (std::holds_alternative<Assertion>(item)) in.fail("an assertion cannot be in a character class", start);
  if (const auto* c = std::get_if<char32_t>(&item); c != nullptr && *c > 0x7F) in.require_unicode("this class");
  return item;
}

/// A character, a range or an escaped class. A hyphen that another one or the end follows belongs to that.
CharSet read_item(RegexpReader& in) {
  const std::size_t start = in.position();
  const Escape low = read_end_point(in);
  const auto* from = std::get_if<char32_t>(&low);
  in.skip_blanks();
  const std::size_t hyphen = in.position();
  if (in.eat(U"-")) {
    in.skip_blanks();
    if (in.at_end()) in.fail("unclosed character class", start);
    if (in.peek() != ']' && in.peek() != '-') {
      const Escape high = read_end_point(in);
      const auto* to = std::get_if<char32_t>(&high);
      if (from == nullptr || to == nullptr) in.fail("a range must be between two characters", start);
      if (*to < *from) in.fail("invalid range: the first character is the larger", start);
      return CharSet::range(*from, *to);
    }
  }
  in.go_back(hyphen);
  return from != nullptr ? CharSet::range(*from, *from) : std::get<CharSet>(low);
}

/// Takes `[:alpha:]` and its like; anything else that looks similar is a class inside a class.
std::optional<CharSet> read_posix_class(RegexpReader& in) {
  const std::size_t start = in.position();
  if (in.eat(U"[:")) {
    const bool negated = in.eat(U"^");
    std::string name;
    while (is_ascii_letter(in.peek())) name += static_cast<char>(in.next());
    if (is_posix_class(name) && in.eat(U":]")) {
      if (negated) in.require_unicode("a negated class");
      CharSet set = posix_class(name);
      return negated ? set.negate() : set;
    }
  }
  in.go_back(start);
  return std::nullopt;
}

/// Hyphens and then a bracket mean themselves where nothing is before them.
CharSet read_first_items(RegexpReader& in) {
  CharSet set;
  const std::size_t start = in.position();
  for (; in.eat(U"-"); in.skip_blanks()) set.unite(CharSet::range('-', '-'));
  if (in.position() == start && in.eat(U"]")) set.unite(CharSet::range(']', ']'));
  return set;
}

/// What ends an operand: an operator, by its character, or `]`; else 0.
char32_t read_operator(RegexpReader& in) {
  return in.eat(U"&&") ? '&' : in.eat(U"--") ? '-' : in.eat(U"~~") ? '~' : in.eat(U"]") ? ']' : 0;
}

/// Makes `left` what the operator makes of it and `right`; without one, `right`.
void combine(CharSet& left, char32_t set_operator, CharSet& right) {
  if (set_operator == 0)
    left = std::move(right);
  else if (set_operator == '&')
    left.intersect(right);
  else if (set_operator == '-')
    left.intersect(right.negate());
  else
    left = left.symmetric_difference(right);
}

/// Binds, from the loosest: `^`, then `&&`, `--` and `~~` from left to right, then union.
CharSet read_nested(RegexpReader& in, RegexpWriter& out, std::size_t depth) {
  const std::size_t open = in.position();
  in.next();
  if (depth > max_bracket_depth) in.fail("character classes are nested too deeply", open);
  in.skip_blanks();
  const bool negated = in.eat(U"^");
  if (negated) in.require_unicode("a negated class");
  in.skip_blanks();
  CharSet left, operand = read_first_items(in);
  char32_t pending = 0;
  for (;;) {
    in.skip_blanks();
    if (in.at_end()) in.fail("unclosed character class", open);
    const char32_t next = read_operator(in);
    if (next == 0) {
      if (const std::optional<CharSet> ascii = read_posix_class(in))
        operand.unite(*ascii);
      else
        operand.unite(in.peek() == '[' ? read_nested(in, out, depth + 1) : read_item(in));
      continue;
    }
    combine(left, pending, operand);
    if (next == ']') return negated ? left.negate() : left;
    out.spend(set_operator_cost);
    pending = next;
    operand = {};
  }
}

}  // namespace

CharSet read_bracket(RegexpReader& in, RegexpWriter& out) {
  return read_nested(in, out, 0);
}

}  // namespace statehouse::detail
