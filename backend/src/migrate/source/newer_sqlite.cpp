#include "migrate/source/newer_sqlite.hpp"

#include <algorithm>
#include <array>

#include "text/ascii.hpp"
#include "text/sql_scanner.hpp"

namespace statehouse::detail {
namespace {

struct Since {
  std::string_view text;
  int version;
  std::string_view name;
};

// https://www.sqlite.org/changes.html
constexpr std::array modifiers{
    Since{"subsec", 3042000, "3.42.0"},
    Since{"subsecond", 3042000, "3.42.0"},
    Since{"ceiling", 3046000, "3.46.0"},
    Since{"floor", 3046000, "3.46.0"},
};
constexpr std::array formats{
    Since{"eFIklpPRTu", 3044000, "3.44.0"},
    Since{"GgUV", 3046000, "3.46.0"},
};

bool is_date_function(const SqlToken& token) {
  constexpr std::array<std::string_view, 6> names{"date", "time", "datetime", "julianday", "unixepoch", "strftime"};
  return std::ranges::any_of(names, [&](std::string_view name) { return token.is(name); });
}

std::string_view unquoted(std::string_view text) {
  return text.size() < 2 ? text : text.substr(1, text.size() - 2);
}

std::optional<NewerFeature> in_modifier(std::string_view argument, int version) {
  for (const Since& modifier : modifiers)
    if (version < modifier.version && same_ascii(unquoted(argument), modifier.text))
      return NewerFeature{"the modifier " + std::string(argument), modifier.name, argument};
  return std::nullopt;
}

std::optional<NewerFeature> in_format(std::string_view argument, int version) {
  for (auto at = argument.find('%'); at < argument.size() - 1; at = argument.find('%', at + 2))
    for (const Since& letters : formats)
      if (version < letters.version && letters.text.find(argument[at + 1]) != std::string_view::npos)
        return NewerFeature{"'" + std::string(argument.substr(at, 2)) + "' of strftime", letters.name, argument};
  return std::nullopt;
}

}  // namespace

std::optional<NewerFeature> find_newer_feature(std::string_view script, int version) {
  SqlScanner scanner(script);
  bool named = false;   // the last word is such a function
  bool format = false;  // the next text is strftime's first
  int depth = 0;        // of brackets since such a call began; 0 outside of one
  while (const auto piece = scanner.next_piece()) {
    if (piece->kind == SqlToken::type::comment) continue;
    if (piece->is("(")) {
      if (depth > 0 || named) ++depth;
    } else if (piece->is(")")) {
      depth = std::max(depth - 1, 0);
    } else if (piece->kind == SqlToken::type::quoted && depth > 0) {
      const auto found = format ? in_format(piece->text, version) : in_modifier(piece->text, version);
      if (found) return found;
      format = false;
    }
    named = is_date_function(*piece);
    format = piece->is("strftime") || (format && depth > 0);
  }
  return std::nullopt;
}

}  // namespace statehouse::detail
