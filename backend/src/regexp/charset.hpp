#pragma once

#include <compare>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace statehouse::detail {

/// A pattern that cannot be used; what() says why.
class RegexpError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A set of characters that RE2 can match. RE2 has neither nested brackets nor operations on them, but it has unions
/// (`[ab]` and `a|b`) and negated unions. An intersection is a negated union of complements, so every set here is kept
/// as a union of intersections of atoms, where an atom is a range or a named class, or the complement of one.
class CharSet {
 public:
  static CharSet range(char32_t low, char32_t high);
  static CharSet everything();
  static bool is_posix(std::string_view name) noexcept;
  /// The ASCII class `[:name:]`; `name` is one, such as "alpha".
  static CharSet posix(std::string_view name);
  /// What Rust's \d, \s and \w match.
  static CharSet digit();
  static CharSet space();
  static CharSet word();
  /// `\p{name}` for a general category or a script. A name that is neither is for RE2 to refuse.
  static CharSet property(std::string_view name);

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
  static CharSet named(std::string name);
  static CharSet caseless_range(char32_t low, char32_t high);

  std::set<Term> terms_;  ///< A union; the empty one is nothing.
};

/// Appends `c` so that RE2 takes it literally, inside and outside brackets.
void append_literal(std::string& re2, char32_t c);

}  // namespace statehouse::detail
