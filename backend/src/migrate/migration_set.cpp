#include "migrate/migration_set.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iterator>
#include <system_error>
#include <tuple>

#include "migrate/checksum.hpp"
#include "migrate/file_name.hpp"
#include "migrate/sql_scanner.hpp"
#include "migrate/text.hpp"

namespace statehouse::detail {
namespace {

[[noreturn]] void fail(const std::string& message, MigrationError::Where where, const std::error_code& cause = {}) {
  throw MigrationError(errc::migration_source, message, std::move(where), {}, cause);
}

std::string shown(const std::filesystem::path& path) {
  return to_valid_utf8(path.string());
}

/// Upper case does not count as a migration, but somebody may think so.
bool looks_like_sql(std::string_view name) {
  constexpr std::string_view suffix = ".sql";
  return name.size() >= suffix.size() &&
         std::ranges::equal(name.substr(name.size() - suffix.size()), suffix,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

void check_content(const Migration& migration) {
  const std::string_view sql = migration.sql;
  const auto fail_at = [&](std::size_t offset, const std::string& what) {
    const std::size_t line = line_of(sql, offset);
    fail("the migration file '" + migration.file + "' has " + what + " in line " + std::to_string(line) +
             ": save it as UTF-8 text",
         {migration.version, migration.file, line});
  };
  // SQLite takes it for the end of the script. Inside quotes that is an error of the statement, found when it runs;
  // elsewhere the rest would be lost without a word.
  if (const auto nul = sql.find('\0');
      nul != std::string_view::npos && !SqlScanner(sql.substr(0, nul)).ends_in_quotes())
    fail_at(nul, "a NUL byte");
  if (const auto invalid = find_invalid_utf8(sql)) fail_at(*invalid, "bytes that are not UTF-8");
}

Migration make_migration(FileName name, std::string file, std::string content) {
  Migration migration{.version = name.version,
                      .description = std::move(name.description),
                      .kind = name.kind,
                      .no_transaction = content.starts_with("-- no-transaction"),
                      .file = std::move(file),
                      .sql = std::move(content)};
  check_content(migration);
  migration.checksum = checksum_of(migration.sql);
  return migration;
}

void sort_and_check(std::vector<Migration>& migrations) {
  const auto place = [](const Migration& m) { return std::tuple(m.version, m.kind == migration_kind::down); };
  std::ranges::sort(migrations, {}, [&](const Migration& m) { return std::tuple_cat(place(m), std::tie(m.file)); });
  const auto twin = std::ranges::adjacent_find(migrations, {}, place);
  if (twin == migrations.end()) return;
  const Migration& second = *std::next(twin);
  fail("version " + std::to_string(twin->version) + " exists twice: '" + twin->file + "' and '" + second.file +
           "'. Give the one that no database has yet another version",
       {second.version, second.file});
}

std::string read_content(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::string content;
  std::array<char, 1 << 16> buffer;
  while (stream.read(buffer.data(), buffer.size()) || stream.gcount() > 0)
    content.append(buffer.data(), static_cast<std::size_t>(stream.gcount()));
  if (stream.is_open() && !stream.bad()) return content;
  const std::error_code error(errno != 0 ? errno : EIO, std::generic_category());
  fail("cannot read the migration file '" + shown(path) + "': " + error.message(), {{}, shown(path)}, error);
}

std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> paths;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    paths.push_back(entry->path());
  if (error)
    fail("cannot read the migrations directory '" + shown(directory) + "': " + error.message() +
             "; give an existing, readable directory",
         {{}, shown(directory)}, error);
  std::ranges::sort(paths);
  return paths;
}

bool is_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_regular_file(status)) return true;
  if (std::filesystem::exists(status)) return false;
  fail("'" + shown(path) + "' in the migrations directory is a dangling symbolic link or cannot be looked at" +
           (error ? ": " + error.message() : "") + "; restore its target or remove it",
       {{}, shown(path)}, error);
}

void add(MigrationSet& set, std::string name, std::string file, const std::function<std::string()>& read) {
  if (auto parsed = parse_file_name(name)) {
    set.migrations.push_back(make_migration(std::move(*parsed), std::move(file), read()));
  } else if (looks_like_sql(name)) {
    set.ignored.push_back(std::move(name));
  }
}

}  // namespace

const Migration* MigrationSet::find(std::int64_t version) const noexcept {
  const auto found = std::ranges::lower_bound(migrations, version, {}, &Migration::version);
  const bool applicable = found != migrations.end() && found->version == version && found->kind != migration_kind::down;
  return applicable ? &*found : nullptr;
}

bool MigrationSet::knows(std::int64_t version) const noexcept {
  return std::ranges::binary_search(migrations, version, {}, &Migration::version);
}

MigrationSet read_directory(const std::filesystem::path& directory) {
  MigrationSet set;
  for (const auto& path : sorted_entries(directory)) {
    if (!is_file(path)) continue;
    add(set, to_valid_utf8(path.filename().string()), shown(path), [&] { return read_content(path); });
  }
  sort_and_check(set.migrations);
  return set;
}

MigrationSet read_files(std::span<const EmbeddedFile> files) {
  MigrationSet set;
  for (const auto& file : files) {
    const std::string name = to_valid_utf8(file.name);
    add(set, name, name, [&] { return std::string(file.content); });
  }
  sort_and_check(set.migrations);
  return set;
}

}  // namespace statehouse::detail
