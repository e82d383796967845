#include "migrate/source/migration_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <tuple>
#include <utility>

#include "text/ascii.hpp"
#include "text/sql_scanner.hpp"
#include "text/trim.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

[[noreturn]] void fail(const std::string& message, MigrationError::Where where, const std::error_code& cause = {}) {
  throw MigrationError(errc::migration_source, message, std::move(where), {}, cause);
}

std::tuple<std::int64_t, bool> place(const Migration& migration) noexcept {
  return {migration.version, migration.kind == migration_kind::down};
}

/// As `-- no-transaction` is recognised: by the very first bytes, whatever comes after the word.
foreign_keys_mode first_line_mode(std::string_view content) {
  for (const auto& [word, mode] : {std::pair("-- foreign-keys on", foreign_keys_mode::on),
                                   std::pair("-- foreign-keys off", foreign_keys_mode::off)}) {
    if (!content.starts_with(word)) continue;
    const std::string_view rest = content.substr(std::string_view(word).size());
    if (rest.empty() || std::string_view(" \t\r\n:;,.(").find(rest.front()) != std::string_view::npos) return mode;
  }
  return foreign_keys_mode::automatic;
}

}  // namespace

std::string shown(const std::filesystem::path& path) {
  return to_valid_utf8(path.string());
}

std::string describe(const Migration& migration, std::size_t line) {
  return "migration " + std::to_string(migration.version) + " '" + migration.description + "' (" + migration.file +
         (line > 0 ? ":" + std::to_string(line) : "") + ")";
}

bool looks_like_sql(std::string_view name) {
  constexpr std::string_view suffix = ".sql";
  return name.size() >= suffix.size() && same_ascii(name.substr(name.size() - suffix.size()), suffix);
}

Migration make_migration(FileName name, std::string file, std::string content) {
  return {.version = name.version,
          .description = std::move(name.description),
          .kind = name.kind,
          .no_transaction = content.starts_with("-- no-transaction"),
          .foreign_keys = first_line_mode(content),
          .file = std::move(file),
          .sql = std::move(content)};
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

void sort(std::vector<Migration>& migrations) {
  std::ranges::sort(migrations, {}, [](const Migration& m) { return std::tuple_cat(place(m), std::tie(m.file)); });
}

bool are_twins(const Migration& first, const Migration& second) noexcept {
  return place(first) == place(second);
}

std::string name_with_longer_version(const Migration& migration) {
  const std::string meant = suggested_name(std::filesystem::path(migration.file).filename().string());
  const std::string_view version = std::string_view(meant).substr(0, meant.find('_'));
  const bool time = (version.size() == 12 || version.size() == 14) && (version[0] == '1' || version[0] == '2');
  return time && parse_version(version) != migration.version ? meant : std::string();
}

void fail_twins(const Migration& first, const Migration& second) {
  const std::string meant = name_with_longer_version(second);
  const bool cut_short = !second.description.empty() && second.description[0] >= '0' && second.description[0] <= '9';
  const char* const rule = cut_short ? ". The first '_' of a name ends its version" : "";
  fail("version " + std::to_string(first.version) + " exists twice: '" + first.file + "' and '" + second.file + '\'' +
           rule +
           (meant.empty() ? ". Give the one that no database has yet another version" : ": name it '" + meant + "'"),
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
  fail("cannot read the migration file '" + shown(path) + "': " + error.message() + "; make it readable",
       {{}, shown(path)}, error);
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

}  // namespace statehouse::detail
