#include "migrate/source/file_name.hpp"
#include "text/unicode.hpp"

#include <algorithm>
#include <charconv>

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

}  // namespace

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
    throw MigrationError(
        errc::migration_source,
        "the migration file name '" + shown + "' has to start with a version, a whole number of at most 64 bits " +
            "before the first '_', as in 20250101120000_create_users.sql: rename the file, or remove it",
        {.version = {}, .file = shown});
  }
  const migration_kind kind = kind_of(rest);
  while (rest.ends_with(suffix_of(kind))) rest.remove_suffix(suffix_of(kind).size());
  std::string description = to_valid_utf8(rest);
  std::ranges::replace(description, '_', ' ');
  return FileName{*version, std::move(description), kind};
}

}  // namespace statehouse::detail
