#pragma once

#include <compare>
#include <cstddef>
#include <set>
#include <string>

namespace statehouse::detail {

/// A set of characters that RE2 can match. RE2 has neither nested brackets nor operations on them, but it has unions
/// (`[ab]` and `a|b`) and negated unions. An intersection is a negated union of complements, so every set here is kept
/// as a union of intersections of atoms, where an atom is a range or a named class, or the complement of one.
class CharSet {
 public:
  static CharSet range(char32_t low, char32_t high);
  /// A range that case folding leads neither into nor out of.
  static CharSet caseless_range(char32_t low, char32_t high);
  /// A class that RE2 knows: a property, such as "Nd", or an ASCII class in colons, such as ":alpha:".
  static CharSet named(std::string name);
  static CharSet everything();

  CharSet& unite(const CharSet& other);
  /// Throws RegexpError if the result were unreasonably large.
  CharSet& intersect(const CharSet& other);
  CharSet& negate();
  CharSet symmetric_difference(const CharSet& other) const;

  /// How many instructions RE2 needs at least, roughly.
  std::size_t cost() const noexcept;
  /// As one unit of RE2 syntax, which may be followed by a repetition. With `ignore_case` (RE2 folds what is written,
  /// Rust the operands of `&&` and the like), throws RegexpError for the few sets that RE2 would fold differently.
  std::string to_re2(bool ignore_case) const;

 private:
  struct Atom {
    char32_t low = 0, high = 0;
    std::string name;       ///< Of a property, or ":name:" of an ASCII class; empty for a range.
    bool caseless = false;  ///< Case folding leads neither into the set nor out of it.
    bool negated = false;

    // NOLINTNEXTLINE(modernize-use-nullptr): a false alarm
    std::strong_ordering operator<=>(const Atom&) const = default;
    Atom complement() const;
    /// In the syntax of the inside of a bracket: the range or class.
    std::string item() const;
  };
  using Term = std::set<Atom>;  ///< An intersection; the empty one is everything.

  bool is_ascii_case_pair() const noexcept;

  static CharSet of(Atom atom);

  std::set<Term> terms_;  ///< A union; the empty one is nothing.
};

}  // namespace statehouse::detail
