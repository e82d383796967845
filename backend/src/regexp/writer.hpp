#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace statehouse::detail {

/// Writes a pattern for RE2, atom by atom, within RE2's limits and ours. Throws RegexpError for what exceeds them.
class RegexpWriter {
 public:
  /// Takes from the budget that every pattern has.
  void spend(std::uint64_t cost);
  /// One unit of RE2 syntax, larger than a character by `extra_cost`.
  void atom(std::string_view re2, std::size_t extra_cost = 0);
  void literal(char32_t c);
  /// Whether there is something that a repetition would apply to.
  bool has_atom() const noexcept { return atom_.has_value(); }
  /// The atom so often; without `most` without end.
  void repeat(std::uint32_t least, std::optional<std::uint32_t> most);
  void alternative();
  void open_group();
  void close_group();
  /// From here to the end of the group.
  void ignore_case(bool on);
  const std::string& text() const noexcept { return text_; }

 private:
  struct Atom {
    std::size_t start = 0;  ///< It is the rest of the text from here.
    std::uint64_t cost = 0;
    std::uint32_t count = 1;  ///< The largest product of nested repetition counts.
    std::size_t depth = 0;    ///< Of nested groups and repetitions.
    bool repeated = false;
  };

  void append_repeated(const std::string& unit, std::uint32_t least, std::optional<std::uint32_t> most);
  void note_atom();

  std::string text_;
  std::optional<Atom> atom_;
  std::vector<Atom> groups_{
      Atom{}};  ///< The open ones, the whole pattern first; with the largest count and depth so far.
  std::uint64_t spent_ = 0;
};

}  // namespace statehouse::detail
