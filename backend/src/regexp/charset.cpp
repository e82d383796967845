#include "regexp/charset.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "regexp/characters.hpp"
#include "regexp/error.hpp"

namespace statehouse::detail {
namespace {

constexpr char32_t last_character = 0x10FFFF;
/// A set beyond this comes from nested set operations that multiply each other.
constexpr std::size_t max_atoms = 10'000;
constexpr std::size_t max_terms = 256;
/// Below what any property costs that has more than a handful of ranges; \w compiles to 1,400 instructions.
constexpr std::size_t property_cost = 50;

std::string range_item(char32_t low, char32_t high) {
  std::string item;
  append_literal(item, low);
  if (low == high) return item;
  item += '-';
  append_literal(item, high);
  return item;
}

}  // namespace

CharSet::Atom CharSet::Atom::complement() const {
  Atom other = *this;
  other.negated = !negated;
  return other;
}

std::string CharSet::Atom::item() const {
  if (name.starts_with(':')) return negated ? "[:^" + name.substr(1) + "]" : "[" + name + "]";
  if (!name.empty()) return (negated ? "\\P{" : "\\p{") + name + "}";
  if (!negated) return range_item(low, high);
  std::string around;
  if (low > 0) around += range_item(0, low - 1);
  if (high < last_character) around += range_item(high + 1, last_character);
  return around;
}

CharSet CharSet::of(Atom atom) {
  CharSet set;
  set.terms_.insert({std::move(atom)});
  return set;
}

CharSet CharSet::range(char32_t low, char32_t high) {
  // U+00B5 is the first beyond ASCII that has another case.
  const bool caseless = high < 'A' || (low > 'Z' && high < 'a') || (low > 'z' && high < 0xB5);
  return of({low, high, {}, caseless});
}

CharSet CharSet::caseless_range(char32_t low, char32_t high) {
  return of({low, high, {}, true});
}

CharSet CharSet::named(std::string name) {
  return of({0, 0, std::move(name), true});
}

CharSet CharSet::everything() {
  CharSet set;
  set.terms_.emplace();
  return set;
}

CharSet& CharSet::unite(const CharSet& other) {
  terms_.insert(other.terms_.begin(), other.terms_.end());
  return *this;
}

CharSet& CharSet::intersect(const CharSet& other) {
  const auto atoms = [](const std::set<Term>& terms) {
    return std::accumulate(terms.begin(), terms.end(), std::size_t{0},
                           [](std::size_t sum, const Term& term) { return sum + term.size(); });
  };
  const std::size_t products = terms_.size() * other.terms_.size();
  if (products > max_terms || atoms(terms_) * other.terms_.size() + atoms(other.terms_) * terms_.size() > max_atoms)
    throw RegexpError("a character class is too complex");
  std::set<Term> result;
  for (const Term& mine : terms_) {
    for (const Term& theirs : other.terms_) {
      Term both = mine;
      both.insert(theirs.begin(), theirs.end());
      const bool is_empty =
          std::ranges::any_of(both, [&](const Atom& atom) { return both.contains(atom.complement()); });
      if (!is_empty) result.insert(std::move(both));
    }
  }
  // Without terms that others contain, which negation makes in plenty.
  terms_.clear();
  for (const Term& term : result) {
    const bool is_redundant = std::ranges::any_of(
        result, [&](const Term& wider) { return wider.size() < term.size() && std::ranges::includes(term, wider); });
    if (!is_redundant) terms_.insert(term);
  }
  return *this;
}

CharSet& CharSet::negate() {
  // De Morgan. Terms of one atom, the usual case, become one intersection; each longer one multiplies it.
  Term common;
  std::vector<CharSet> choices;
  for (const Term& term : terms_) {
    if (term.size() != 1) choices.emplace_back();
    for (const Atom& atom : term) {
      if (term.size() == 1)
        common.insert(atom.complement());
      else
        choices.back().terms_.insert({atom.complement()});
    }
  }
  terms_ = {std::move(common)};
  for (const CharSet& choice : choices) intersect(choice);
  return *this;
}

CharSet CharSet::symmetric_difference(const CharSet& other) const {
  CharSet either = *this, both = *this;
  either.unite(other);
  both.intersect(other).negate();
  return either.intersect(both);
}

std::size_t CharSet::cost() const noexcept {
  std::size_t sum = 0;
  for (const Term& term : terms_)
    for (const Atom& atom : term) sum += atom.name.empty() ? 1 : property_cost;
  return sum;
}

/// RE2 takes `[Kk]` for `(?i:k)`, and then `[Kk]|x` finds U+212A, the Kelvin sign, and `k|[Kk]` does not find "K".
bool CharSet::is_ascii_case_pair() const noexcept {
  if (terms_.size() != 2 || terms_.begin()->size() != 1 || terms_.rbegin()->size() != 1) return false;
  const Atom &first = *terms_.begin()->begin(), &second = *terms_.rbegin()->begin();
  return !first.negated && !second.negated && first.low == first.high && second.low == second.high &&
         is_ascii_letter(first.low) && (first.low | 0x20) == second.low;
}

std::string CharSet::to_re2(bool ignore_case) const {
  if (is_ascii_case_pair())
    return "(?:" + terms_.begin()->begin()->item() + "|" + terms_.rbegin()->begin()->item() + ")";
  std::string plain, alternatives;
  for (const Term& term : terms_) {
    if (term.size() == 1 && !term.begin()->negated) {
      plain += term.begin()->item();
      continue;
    }
    std::string items;
    for (const Atom& atom : term) {
      // Folding the complement of a range adds what folding the range should have removed.
      if (ignore_case && !atom.caseless && !atom.negated)
        throw RegexpError("an intersection or difference of these character classes is not supported with (?i)");
      items += atom.complement().item();
    }
    if (items.empty()) return "(?s:.)";
    alternatives += (alternatives.empty() ? "[^" : "|[^") + items + "]";
  }
  if (plain.empty() && alternatives.empty()) return "[^\\x{0}-\\x{10ffff}]";
  if (plain.empty()) return "(?:" + alternatives + ")";
  plain = "[" + plain + "]";
  return alternatives.empty() ? plain : "(?:" + plain + "|" + alternatives + ")";
}

}  // namespace statehouse::detail
