#include "nearest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace statehouse::cli {
namespace {

/// How many letters have to be put in, left out, changed, or exchanged with the next one.
std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> before_last(other.size() + 1), last(other.size() + 1), row(other.size() + 1);
  for (std::size_t j = 0; j <= other.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= other.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (one[i - 1] != other[j - 1] ? 1 : 0)});
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  const auto hyphens = std::min(word.find_first_not_of('-'), word.size());
  std::size_t best = std::max<std::size_t>(1, (word.size() - hyphens) / 3) + 1;  // too far
  std::string found;
  for (const std::string& candidate : candidates) {
    const bool begun = word.size() - hyphens > 1 && candidate.starts_with(word);
    const std::size_t far = begun ? 1 : distance(word, candidate);
    if (far >= best) continue;
    best = far;
    found = candidate;
  }
  return found;
}

}  // namespace statehouse::cli
