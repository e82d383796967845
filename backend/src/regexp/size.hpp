#pragma once

#include <cstddef>
#include <cstdint>

namespace statehouse::detail {

/// How large a pattern is with its repetitions written out.
struct RegexpSize {
  std::uint64_t elements = 0;      ///< Characters, classes and operators.
  std::uint64_t instructions = 0;  ///< What RE2 needs for them at least, roughly: as many, but more for classes.
  bool plain = true;               ///< A text to be found as it stands: characters, and no operator.
};

/// The most steps, of 10 to 25 ns each, that RE2 takes to look for such a pattern in a text of so many bytes.
std::uint64_t match_cost(const RegexpSize& pattern, std::size_t text_bytes) noexcept;

}  // namespace statehouse::detail
