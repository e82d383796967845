#include "wrap.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace statehouse::cli {
namespace {

void append_line(std::string& result, std::string_view line, std::size_t columns, std::size_t indent) {
  std::size_t used = 0;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    if (used > 0 && used + 1 + width(word) > columns - indent) {
      result += '\n' + std::string(indent, ' ');
      used = 0;
    } else if (used > 0) {
      result += ' ';
      ++used;
    }
    result += word;
    used += width(word);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
}

}  // namespace

std::size_t terminal_columns(int descriptor) {
  winsize size{};
  return ::isatty(descriptor) == 1 && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent) {
  constexpr std::size_t least = 20;  // less is no text any more
  if (columns < indent + least) return std::string(text);
  std::string result;
  for (;;) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(' ')) {
      result += line;
    } else {
      append_line(result, line, columns, indent);
    }
    if (end == std::string_view::npos) return result;
    result += '\n' + std::string(indent, ' ');
    text.remove_prefix(end + 1);
  }
}

}  // namespace statehouse::cli
