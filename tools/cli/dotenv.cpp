#include "dotenv.hpp"

#include <algorithm>

namespace statehouse::cli {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr std::string_view expanded =
    "variables are not expanded here: write out what '$' stands for, or put the value in single quotes";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

class DotenvReader {
 public:
  explicit DotenvReader(std::string_view text) : rest_(text) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
  }

  std::vector<DotenvEntry> read() {
    while (!rest_.empty()) {
      DotenvEntry entry;
      entry.line = line_;
      if (take_name(entry.name)) {
        take_value(entry);
        entries_.push_back(std::move(entry));
      }
      end_line();
    }
    return std::move(entries_);
  }

 private:
  /// A name and the '=' after it; false where the line has none.
  bool take_name(std::string& name) {
    std::string_view line = trimmed(rest_.substr(0, rest_.find('\n')));
    constexpr std::string_view exported = "export ";
    if (line.starts_with(exported)) line = trimmed(line.substr(exported.size()));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || line.front() == '#') return false;
    const std::string_view found = trimmed(line.substr(0, equals));
    const auto fits = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    };
    if (found.empty() || !std::ranges::all_of(found, fits)) return false;
    name = found;
    rest_.remove_prefix(rest_.find('=') + 1);
    rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size()));
    return true;
  }

  void take_value(DotenvEntry& entry) {
    if (rest_.starts_with('\'') || rest_.starts_with('"')) return take_quoted(entry);
    std::string_view value = rest_.substr(0, rest_.find('\n'));
    for (std::size_t i = 0; i < value.size(); ++i)
      if (value[i] == '#' && (i == 0 || blanks.find(value[i - 1]) != std::string_view::npos))
        value = value.substr(0, i);
    entry.value = trimmed(value);
    if (entry.value.find('$') != std::string::npos) entry.problem = expanded;
  }

  void take_quoted(DotenvEntry& entry) {
    const char quote = rest_.front();
    std::size_t i = 1;
    for (; i < rest_.size() && rest_[i] != quote; ++i) {
      const bool escaped = quote == '"' && rest_[i] == '\\' && i + 1 < rest_.size();
      if (escaped) {
        entry.value += unescaped(rest_[++i]);
      } else {
        if (quote == '"' && rest_[i] == '$') entry.problem = expanded;
        entry.value += rest_[i];
      }
    }
    if (i == rest_.size()) {  // the lines that follow are read all the same
      entry.problem = "the quote that the value begins with has no second one: close it";
      return;
    }
    line_ += static_cast<std::size_t>(std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(i), '\n'));
    rest_.remove_prefix(i + 1);
    const std::string_view after = trimmed(rest_.substr(0, rest_.find('\n')));
    if (!after.empty() && after.front() != '#')
      entry.problem = "something follows the quote that ends the value: put all of it in one pair of quotes";
  }

  static char unescaped(char letter) {
    switch (letter) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      default: return letter;
    }
  }

  void end_line() {
    const auto end = rest_.find('\n');
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++line_;
  }

  std::string_view rest_;
  std::size_t line_ = 1;
  std::vector<DotenvEntry> entries_;
};

}  // namespace

std::vector<DotenvEntry> parse_dotenv(std::string_view text) {
  return DotenvReader(text).read();
}

}  // namespace statehouse::cli
