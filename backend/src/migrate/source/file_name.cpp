#include "migrate/source/file_name.hpp"

#include <algorithm>
#include <charconv>

#include "text/ascii.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

constexpr std::string_view suffix_of(migration_kind kind) {
  switch (kind) {
    case migration_kind::up: return ".up.sql";
    case migration_kind::down: return ".down.sql";
    case migration_kind::simple: break;
  }
  return ".sql";
}

migration_kind kind_of(std::string_view name) {
  for (const auto kind : {migration_kind::up, migration_kind::down}) {
    if (name.ends_with(suffix_of(kind))) return kind;
  }
  return migration_kind::simple;
}

constexpr std::string_view digits = "0123456789";

/// Takes the digits at the front, and whole groups of them that follow behind `dividers`, as in a date.
std::string take_version(std::string_view& text, std::string_view dividers) {
  std::string version;
  for (std::string_view group = text;;) {
    const auto end = std::min(group.find_first_not_of(digits), group.size());
    const bool whole = end == group.size() || group[end] == '.' || dividers.find(group[end]) != std::string_view::npos;
    if (!version.empty() && (end == 0 || !whole)) return version;
    version += group.substr(0, end);
    text = group.substr(end);
    group = text.substr(std::min(text.find_first_not_of(dividers), text.size()));
    if (version.empty() || group.size() == text.size()) return version;
  }
}

}  // namespace

std::string suggested_name(std::string_view name) {
  constexpr std::string_view ending = ".sql";
  const auto starts_with_digit = [](std::string_view text) {
    return !text.empty() && digits.find(text.front()) != std::string_view::npos;
  };
  if (name.size() <= ending.size() || !same_ascii(name.substr(name.size() - ending.size()), ending)) return {};
  std::string_view rest = name.substr(0, name.size() - ending.size());
  const char letter = ascii_lower(rest.front());
  const bool flyway = (letter == 'v' || letter == 'u') && starts_with_digit(rest.substr(1));
  if (flyway) rest.remove_prefix(1);
  const std::string version = take_version(rest, flyway ? "" : "-_: ");
  if (!parse_version(version)) return {};
  rest.remove_prefix(std::min(rest.find_first_not_of("-_. "), rest.size()));
  if (starts_with_digit(rest)) return {};  // parts of a version, whose order would be lost
  std::string text(rest);
  if (text.empty() || text == "up" || text == "down") text = text.empty() ? "init" : "init." + text;
  if (flyway && letter == 'u') text += ".down";
  return version + '_' + text + ".sql";
}

std::optional<std::int64_t> parse_version(std::string_view text) noexcept {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t version = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, version);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return version;
}

std::optional<FileName> parse_file_name(std::string_view name) {
  const auto separator = name.find('_');
  if (separator == std::string_view::npos) return std::nullopt;
  const std::string_view prefix = name.substr(0, separator);
  std::string_view rest = name.substr(separator + 1);
  if (!rest.ends_with(suffix_of(migration_kind::simple))) return std::nullopt;

  const auto version = parse_version(prefix);
  if (!version) {
    const std::string shown = to_valid_utf8(name);
    const std::string meant = suggested_name(shown);
    throw MigrationError(
        errc::migration_source,
        "the migration file name '" + shown + "' has to start with a version, a whole number of at most 64 bits " +
            "before the first '_', as in 20250101120000_create_users.sql: rename the file, or remove it" +
            (meant.empty() ? "" : ". Is '" + meant + "' meant?"),
        {.version = {}, .file = shown});
  }
  const migration_kind kind = kind_of(rest);
  while (rest.ends_with(suffix_of(kind))) rest.remove_suffix(suffix_of(kind).size());
  std::string description = to_valid_utf8(rest);
  std::ranges::replace(description, '_', ' ');
  return FileName{*version, std::move(description), kind};
}

}  // namespace statehouse::detail
