#include "regexp/named_classes.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "regexp/error.hpp"
#include "text/ascii.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

using Range = std::pair<char32_t, char32_t>;

/// Rust's \w is Alphabetic, M, Nd, Pc and Join_Control. RE2 knows only the categories: Alphabetic is L, Nl, some of M,
/// and these circled and squared letters. The joiners come first.
constexpr std::array<Range, 5> word_beyond_categories{
    {{0x200C, 0x200D}, {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}}};

constexpr std::array<std::string_view, 14> posix_names{"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                                       "lower", "print", "punct", "space", "upper", "word",  "xdigit"};

/// The long names of the general categories, without what Rust ignores in a name. `C` is not among them: RE2's leaves
/// out the unassigned characters.
constexpr std::array<std::pair<std::string_view, std::string_view>, 38> long_names{{
    {"letter", "L"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"},
    {"modifierletter", "Lm"},
    {"otherletter", "Lo"},
    {"mark", "M"},
    {"combiningmark", "M"},
    {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},
    {"enclosingmark", "Me"},
    {"number", "N"},
    {"decimalnumber", "Nd"},
    {"digit", "Nd"},
    {"letternumber", "Nl"},
    {"othernumber", "No"},
    {"punctuation", "P"},
    {"punct", "P"},
    {"connectorpunctuation", "Pc"},
    {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"},
    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"},
    {"symbol", "S"},
    {"mathsymbol", "Sm"},
    {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},
    {"separator", "Z"},
    {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},
    {"paragraphseparator", "Zp"},
    {"control", "Cc"},
    {"cntrl", "Cc"},
    {"format", "Cf"},
    {"privateuse", "Co"},
}};

constexpr std::array<std::string_view, 6> visible_categories{"L", "M", "N", "P", "S", "Z"};

char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// Without case, blanks, hyphens and underscores, which Rust ignores.
std::string loose(std::string_view name) {
  std::string result;
  for (const char c : name)
    if (c != ' ' && c != '-' && c != '_') result += ascii_lower(c);
  return result;
}

/// "old italic" as RE2 writes it: "Old_Italic".
std::string script_name(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const bool starts_word = result.empty() || result.back() == '_';
    result += c == ' ' || c == '-' ? '_' : starts_word ? upper(c) : c;
  }
  return result;
}

}  // namespace

CharSet digit_class() {
  return CharSet::named("Nd");
}

CharSet space_class() {
  CharSet set;
  for (const auto& [low, high] : white_space) set.unite(CharSet::caseless_range(low, high));
  return set;
}

CharSet word_class() {
  CharSet set;
  for (const char* category : {"L", "M", "Nd", "Nl", "Pc"}) set.unite(CharSet::named(category));
  for (const auto& [low, high] : word_beyond_categories) set.unite(CharSet::caseless_range(low, high));
  return set;
}

bool is_posix_class(std::string_view name) noexcept {
  return std::ranges::find(posix_names, name) != posix_names.end();
}

CharSet posix_class(std::string_view name) {
  return CharSet::named(":" + std::string(name) + ":");
}

CharSet property_class(std::string_view name) {
  const std::size_t separator = name.find_first_of("=:");
  const std::string kind = loose(name.substr(0, separator));
  if (separator != name.npos && (kind == "gc" || kind == "generalcategory" || kind == "sc" || kind == "script"))
    return property_class(name.substr(separator + 1));
  const std::string key = loose(name);
  if (key.empty()) throw RegexpError("empty Unicode class");
  if (key == "any") return CharSet::everything();
  if (key == "ascii") return CharSet::range(0, 0x7F);
  if (key == "whitespace" || key == "space") return space_class();
  if (key == "lc" || key == "casedletter")
    return CharSet::named("Lu").unite(CharSet::named("Ll")).unite(CharSet::named("Lt"));
  if (key == "c" || key == "other" || key == "cn" || key == "unassigned" || key == "assigned") {
    CharSet set;
    for (const std::string_view category : visible_categories) set.unite(CharSet::named(std::string(category)));
    if (key == "c" || key == "other") return set.negate();
    for (const char* category : {"Cc", "Cf", "Co"}) set.unite(CharSet::named(category));
    return key == "assigned" ? set : set.negate();
  }
  const auto known = std::ranges::find(long_names, key, [](const auto& pair) { return pair.first; });
  if (known != long_names.end()) return CharSet::named(std::string(known->second));
  if (!key.empty() && key.size() <= 2) return CharSet::named(upper(key[0]) + key.substr(1));
  return CharSet::named(script_name(name));
}

}  // namespace statehouse::detail
