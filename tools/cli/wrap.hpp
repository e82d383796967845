#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace statehouse::cli {

/// Of the terminal that the descriptor is; 0 where it is none, or does not know.
std::size_t terminal_columns(int descriptor);

/// Characters rather than columns: wide ones of East Asian scripts come out a little ragged.
std::size_t width(std::string_view text);

/// The text with lines that fit in `columns`, broken at blanks; those that are broken go on after `indent` of them.
/// Lines that begin with a blank stay, as they are to be copied. With 0 columns all stays.
std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent = 0);

}  // namespace statehouse::cli
