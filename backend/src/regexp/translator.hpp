#pragma once

#include <string>
#include <string_view>

#include "regexp/size.hpp"

namespace statehouse::detail {

/// The longest pattern in bytes. Any plain text up to here compiles.
inline constexpr std::size_t max_pattern_size = 65'536;

/// A pattern in RE2's syntax.
struct TranslatedPattern {
  std::string re2;
  RegexpSize size;
};

/// Translates a pattern in the syntax of Rust's `regex` crate to one that RE2 finds in the same texts. It keeps whether
/// there is a match, not where: groups do not capture, lazy repetitions become greedy. `pattern` is valid UTF-8; the
/// result is ASCII and bounded in size. Throws RegexpError for what Rust rejects and for what RE2 cannot do:
///
/// - `\<`, `\>`, `\b{start}` and its like, and `^` and `$` under (?Rm), which need look-around;
/// - (?i-u); Unicode properties other than general categories, scripts and White_Space;
/// - under (?i), `&&`, `--` and `~~` on ranges that hold letters, where RE2 would fold case differently;
/// - patterns that grow too large when written out, such as `(a{1000}){101}` or `\w{400}`.
///
/// What it accepts and yet differs: `\b` and `\B` know only ASCII words, and the Unicode tables are those of RE2.
TranslatedPattern to_re2(std::string_view pattern);

}  // namespace statehouse::detail
