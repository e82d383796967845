#pragma once

#include <string>
#include <string_view>

namespace statehouse::detail {

/// The longest pattern in bytes. Any plain text up to here compiles.
inline constexpr std::size_t max_pattern_size = 64 * 1024;

/// Translates a pattern in the syntax of Rust's `regex` crate to one that RE2 finds in the same texts. It keeps whether
/// there is a match, not where: groups do not capture, and lazy repetitions become greedy. Throws RegexpError, with the
/// position, for what is invalid in Rust and for what RE2 cannot do:
///
/// - `\<`, `\>`, `\b{start}` and the like, and `^`, `$` with the flags R and m together, which need look-around;
/// - `&&`, `--` and `~~` between ranges of letters under (?i);
/// - (?i-u), and Unicode properties other than general categories and scripts;
/// - patterns that expand to more than a fixed budget, see `max_cost` in the source.
///
/// One thing is accepted and yet differs: `\b` and `\B` know only ASCII words. The Unicode tables are RE2's.
///
/// `pattern` is valid UTF-8. The result is ASCII and bounded in size.
std::string to_re2(std::string_view pattern);

/// The length of the longest valid prefix.
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

}  // namespace statehouse::detail
