#include "names.hpp"

namespace statehouse::queries {

bool is_keyword(std::string_view word) {
  static const std::set<std::string_view> keywords{
      "alignas",     "alignof",  "and",        "and_eq",    "asm",       "auto",         "bitand",
      "bitor",       "bool",     "break",      "case",      "catch",     "char",         "char16_t",
      "char32_t",    "char8_t",  "class",      "co_await",  "co_return", "co_yield",     "compl",
      "concept",     "const",    "const_cast", "consteval", "constexpr", "constinit",    "continue",
      "decltype",    "default",  "delete",     "do",        "double",    "dynamic_cast", "else",
      "enum",        "explicit", "export",     "extern",    "false",     "float",        "for",
      "friend",      "goto",     "if",         "inline",    "int",       "long",         "mutable",
      "namespace",   "new",      "noexcept",   "not",       "not_eq",    "nullptr",      "operator",
      "or",          "or_eq",    "private",    "protected", "public",    "register",     "reinterpret_cast",
      "requires",    "return",   "short",      "signed",    "sizeof",    "static",       "static_assert",
      "static_cast", "struct",   "switch",     "template",  "this",      "thread_local", "throw",
      "true",        "try",      "typedef",    "typeid",    "typename",  "union",        "unsigned",
      "using",       "virtual",  "void",       "volatile",  "wchar_t",   "while",        "xor",
      "xor_eq"};
  return keywords.contains(word);
}

std::string free_name(std::string name, std::set<std::string>& taken) {
  while (is_keyword(name) || taken.contains(name)) name += '_';
  taken.insert(name);
  return name;
}

std::string row_name(std::string_view query) {
  std::string name;
  bool capital = true;
  for (const char c : query) {
    const bool small = c >= 'a' && c <= 'z';
    if (c != '_') name += capital && small ? static_cast<char>(c - 'a' + 'A') : c;
    capital = c == '_';
  }
  return name + "Row";
}

std::string namespace_name(std::string_view database) {
  if (database.ends_with(".db")) database.remove_suffix(3);
  std::string name;
  for (const char c : database) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (kept) name += c;
    if (!kept && !name.ends_with('_')) name += '_';
  }
  if (!name.empty() && name.front() >= '0' && name.front() <= '9') name.insert(0, 1, '_');
  return is_keyword(name) ? name + '_' : name;
}

}  // namespace statehouse::queries
