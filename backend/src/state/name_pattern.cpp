#include "state/name_pattern.hpp"

#include <algorithm>
#include <span>

#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

using Segments = std::span<const std::string>;

constexpr std::string_view several = "**";

std::string_view first_of(std::string_view name) noexcept {
  return name.substr(0, name.find('/'));
}

std::string_view without_first(std::string_view name) noexcept {
  const std::size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
}

/// Both go from left to right; where a part after a star does not fit, the star takes one character more.
bool fits(std::string_view pattern, std::string_view segment) noexcept {
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < segment.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      taken = i;
    } else if (at < pattern.size() && pattern[at] == segment[i]) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

/// `whole`: what is left of the pattern when the name ends is too much.
bool match(Segments pattern, std::string_view name, bool whole) noexcept {
  if (name.empty()) return pattern.empty() == whole;
  if (pattern.empty()) return false;
  const Segments rest = pattern.subspan(1);
  if (pattern.front() == several) {
    // One is taken; the next may be its as well, of a directory the next to come, too.
    const std::string_view left = without_first(name);
    return match(rest, left, whole) || (left.empty() ? !whole : match(pattern, left, whole));
  }
  return fits(pattern.front(), first_of(name)) && match(rest, without_first(name), whole);
}

}  // namespace

NamePattern::NamePattern(std::string_view text) : text_(text) {
  for (; !text.empty(); text = without_first(text)) segments_.emplace_back(first_of(text));
}

NamePattern NamePattern::parse_or_throw(std::string_view text) {
  if (text.ends_with(".db")) text.remove_suffix(3);
  std::string example(text);
  std::ranges::replace(example, '*', 'x');
  if (!DatabaseName::parse(example) || example.ends_with(".db")) {
    static_cast<void>(DatabaseName::parse_or_throw(example));  // as a name it says what is wrong
    throw Error(errc::invalid_name, "no database has a name like '" + std::string(text) + "'");
  }
  return NamePattern(text);
}

bool NamePattern::matches(std::string_view name) const noexcept {
  return match(segments_, name, true);
}

bool NamePattern::matches_below(std::string_view directory) const noexcept {
  return match(segments_, directory, false);
}

}  // namespace statehouse::detail
