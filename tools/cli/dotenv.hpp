#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace statehouse::cli {

/// NAME=value in a file `.env`.
struct DotenvEntry {
  std::string name;
  std::string value;
  std::size_t line = 0;  ///< Counted from 1.
  std::string problem;   ///< Why the value is not to be relied on, and what to do; else empty.
};

/// All entries of such a file, which other programs read, too: lines that are none are passed over, and what is wrong
/// with an entry concerns only who wants it.
///
/// `export` may stand before a name. A value in single quotes is literal, in double quotes a backslash before n, r, t,
/// '"', '$' or another one makes a line end and so on of it; both may have several lines. Without quotes it ends at the
/// end of the line, or before a '#' that follows a blank. Variables are not expanded.
std::vector<DotenvEntry> parse_dotenv(std::string_view text);

}  // namespace statehouse::cli
