#include "regexp/size.hpp"

#include <algorithm>

namespace statehouse::detail {
namespace {

/// Measured: one byte takes RE2 through a small part of a class's program only.
constexpr std::uint64_t instructions_per_step = 16;
/// A state between two characters leads to so many inside of one, at most: as UTF-8 begins in so many ways that
/// classes tell apart.
constexpr std::uint64_t log2_states_inside = 8;

/// The states of the pattern's automaton. RE2 makes each when it first comes there, and then knows it; it has no more
/// than the pattern's elements have subsets. A plain text has one for each of its beginnings.
std::uint64_t states(const RegexpSize& pattern) noexcept {
  if (pattern.plain) return pattern.elements + 1;
  return std::uint64_t{1} << std::min<std::uint64_t>(pattern.elements + log2_states_inside, 63);
}

}  // namespace

std::uint64_t match_cost(const RegexpSize& pattern, std::size_t text_bytes) noexcept {
  // With one byte RE2 does no more than all that can be under way at once, and where it has been before, nothing.
  const std::uint64_t steps_per_byte =
      pattern.elements + (pattern.instructions - pattern.elements) / instructions_per_step;
  return steps_per_byte * std::min<std::uint64_t>(text_bytes, states(pattern));
}

}  // namespace statehouse::detail
