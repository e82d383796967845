#include "setting_line.hpp"

#include <charconv>

#include "query_file.hpp"

namespace statehouse::queries {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string read_function(std::string_view value, QuerySettings& settings) {
  const std::size_t slash = value.find('/');
  DeclaredFunction function{std::string(trimmed(value.substr(0, slash)))};
  const bool counted = slash != std::string_view::npos;
  const bool usable = !counted || (read_number(trimmed(value.substr(slash + 1)), function.arguments) &&
                                   function.arguments >= -1 && function.arguments <= 127);
  if (!usable || !is_identifier(function.name))
    return "a function that your program registers is declared as -- function: NAME/ARGUMENTS, with their number, or "
           "-1";
  settings.functions.push_back(std::move(function));
  return {};
}

std::string read_rows(std::string_view value, QuerySettings& settings) {
  const std::size_t blank = value.find_last_of(" \t");
  std::int64_t rows = 0;
  if (blank == std::string_view::npos || !read_number(value.substr(blank + 1), rows) || rows < 0)
    return "the size of a table is told as -- rows: TABLE NUMBER";
  settings.rows[lower(trimmed(value.substr(0, blank)))] = rows;
  return {};
}

std::string read_type(std::string_view value, QuerySettings& settings) {
  const std::size_t sign = value.find('=');
  const std::string_view what = trimmed(value.substr(0, sign));
  const std::string_view type = sign == std::string_view::npos ? std::string_view() : trimmed(value.substr(sign + 1));
  if (what.empty() || type.empty())
    return "a type is mapped by -- type: TABLE.COLUMN = C++ TYPE, or -- type: DECLARED TYPE = C++ TYPE";
  settings.types[lower(what)] = type;
  return {};
}

std::string read_include(std::string_view value, QuerySettings& settings) {
  const bool quoted = value.size() > 2 && value.front() == '"' && value.back() == '"';
  const bool bracketed = value.size() > 2 && value.front() == '<' && value.back() == '>';
  if (!quoted && !bracketed) return "a header is named as -- include: <path> or -- include: \"path\"";
  settings.includes.emplace_back(value);
  return {};
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::optional<SettingLine> setting_line(std::string_view comment) {
  const std::string_view text = trimmed(comment.substr(2));
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return SettingLine{trimmed(text.substr(0, colon)), trimmed(text.substr(colon + 1))};
}

std::string read_setting(std::string_view comment, QuerySettings& settings) {
  const auto line = setting_line(comment);
  if (!line) return {};
  if (line->key == "function") return read_function(line->value, settings);
  if (line->key == "rows") return read_rows(line->value, settings);
  if (line->key == "type") return read_type(line->value, settings);
  if (line->key == "include") return read_include(line->value, settings);
  return {};
}

}  // namespace statehouse::queries
