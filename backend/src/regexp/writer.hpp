#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regexp/size.hpp"

namespace statehouse::detail {

/// Writes a pattern for RE2, atom by atom, within RE2's limits and ours. Throws RegexpError for what exceeds them.
class RegexpWriter {
 public:
  /// Takes from the budget of instructions that every pattern has.
  void spend(std::uint64_t instructions);
  /// One unit of RE2 syntax, which is no plain character and takes more instructions than one by `extra`.
  void atom(std::string_view re2, std::size_t extra = 0);
  void literal(char32_t c);
  /// Whether there is something that a repetition would apply to.
  bool has_atom() const noexcept { return atom_.has_value(); }
  /// The atom, which is there, so often; without `most` without end.
  void repeat(std::uint32_t least, std::optional<std::uint32_t> most);
  void alternative();
  void open_group();
  void close_group();
  /// From here to the end of the group.
  void ignore_case(bool on);
  const std::string& text() const noexcept { return text_; }
  /// Of what has been written.
  const RegexpSize& size() const noexcept { return size_; }

 private:
  struct Atom {
    std::size_t start = 0;           ///< It is the rest of the text from here.
    std::uint64_t elements = 0;      ///< As in RegexpSize; of an open group, those before it.
    std::uint64_t instructions = 0;  ///< Likewise.
    std::uint32_t count = 1;         ///< The largest product of nested repetition counts.
    std::size_t depth = 0;           ///< Of nested groups and repetitions.
    bool repeated = false;
  };

  void add(std::uint64_t elements, std::uint64_t instructions);
  void add_operator();
  void append_repeated(const std::string& unit, std::uint32_t least, std::optional<std::uint32_t> most);
  void note(const Atom& atom);

  std::string text_;
  std::optional<Atom> atom_;
  std::vector<Atom> groups_{
      Atom{}};  ///< The open ones, the whole pattern first; with the largest count and depth so far.
  RegexpSize size_;
};

}  // namespace statehouse::detail
