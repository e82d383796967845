#include "migrate/source/script_input.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "migrate/source/migration_file.hpp"
#include "migrate/source/newer_sqlite.hpp"
#include "migrate/source/other_tools.hpp"
#include "statehouse/sqlite_version.hpp"
#include "text/ascii.hpp"
#include "text/sql_scanner.hpp"
#include "text/trim.hpp"

namespace statehouse::detail {
namespace {

std::size_t line_at(const Migration& migration, std::string_view part) {
  return line_of(migration.sql, static_cast<std::size_t>(part.data() - migration.sql.data()));
}

[[noreturn]] void refuse(const Migration& migration, std::string_view part, const std::string& database,
                         const std::string& message) {
  const std::size_t line = line_at(migration, part);
  throw MigrationError(errc::migration_refused, describe(migration, line) + ' ' + message,
                       {migration.version, migration.file, line}, {database, shorten(part)});
}

MigrationProblem warning(const Migration& migration, std::size_t line, const std::string& text) {
  return {problem_severity::warning, migration.file, line, migration.version, describe(migration, line) + ' ' + text};
}

std::optional<MigrationProblem> find_emptiness(const Migration& migration) {
  if (!has_no_statement(migration.sql)) return std::nullopt;
  const std::string what = migration.kind == migration_kind::down ? "reverted" : "applied";
  return warning(
      migration, 0,
      "has no statement: it would be recorded as " + what + " and do nothing. Fill it in before any database has it");
}

/// "1_init" of a path that ends in 1_init.sql or 1_init.up.sql.
std::string stem_of(const Migration& migration) {
  std::string name = std::filesystem::path(migration.file).filename().string();
  for (const std::string_view suffix : {".sql", ".up", ".down"})
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

std::optional<MigrationProblem> check_format(const Migration& migration, const std::string& database) {
  const ForeignFormat format = find_foreign_format(migration.sql, migration.kind);
  if (format.tool.empty()) return std::nullopt;
  const std::string name = "'" + std::string(trim(format.marker)) + "'";
  const std::string stem = stem_of(migration);
  if (!format.runs_too_much)
    return warning(migration, line_at(migration, format.marker),
                   "has the comment " + name + ", which says something to " + format.tool +
                       " and nothing here: all of the file runs");
  refuse(migration, format.marker, database,
         "is written for " + format.tool + ", which does not run all of it at once (" + name +
             "); here all of a file runs, so it is refused before anything is changed. Put what brings the database "
             "forward into " +
             stem + ".up.sql and what takes it back into " + stem + ".down.sql, without those comments");
}

/// What begins a statement of SQLite's is a word.
void check_language(const Migration& migration, const std::string& database) {
  SqlScanner scanner(migration.sql);
  while (const auto statement = scanner.next_statement()) {
    const std::string_view line = statement->text.substr(0, statement->text.find_first_of("\r\n"));
    switch (statement->text.front()) {
      case '.':
        refuse(migration, line, database,
               "has a command of the sqlite3 shell, which is no SQL, and is refused before anything is changed. Remove "
               "the line; in place of .read and .import, put in what they read");
      case '\\':
        refuse(migration, line, database,
               "has a command of PostgreSQL's psql, which is no SQL, and is refused before anything is changed. Remove "
               "the line; what comes from PostgreSQL may need more to be changed");
      case '#':
        refuse(
            migration, line, database,
            "has a line that begins with '#', which is no comment in SQLite (nor a division of the file, as in Play), "
            "and is refused before anything is changed. Begin comments with --, and give each direction a file: " +
                stem_of(migration) + ".up.sql and .down.sql");
      default: break;
    }
  }
}

/// "sqlite_sequence" in CREATE TABLE sqlite_sequence(name,seq).
std::string_view reserved_table(const SqlStatement& statement) {
  const auto& tokens = statement.tokens;
  const auto is = [&](std::size_t at, std::string_view word) { return at < tokens.size() && tokens[at].is(word); };
  if (!is(0, "CREATE") || !is(1, "TABLE")) return {};
  const std::size_t at = is(2, "IF") ? 5 : 2;  // IF NOT EXISTS
  if (at >= tokens.size()) return {};
  const std::string_view name = tokens[at].text;
  const std::string_view bare = tokens[at].kind == SqlToken::type::quoted ? name.substr(1) : name;
  return same_ascii(bare.substr(0, std::min<std::size_t>(bare.size(), 7)), "sqlite_") ? name : std::string_view();
}

std::optional<MigrationProblem> find_reserved_table(const Migration& migration) {
  SqlScanner scanner(migration.sql);
  while (const auto statement = scanner.next_statement())
    if (const auto name = reserved_table(*statement); !name.empty())
      return warning(migration, line_at(migration, name),
                     "makes the table " + std::string(name) +
                         ", as .schema of the sqlite3 shell prints it. SQLite makes it "
                         "itself and will refuse this: remove the statement");
  return std::nullopt;
}

std::optional<MigrationProblem> find_null_answer(const Migration& migration) {
  const SqliteVersion sqlite = sqlite_version();
  const auto feature = find_newer_feature(migration.sql, sqlite.number);
  if (!feature) return std::nullopt;
  return warning(migration, line_at(migration, feature->text),
                 "uses " + feature->name + ", which SQLite has since " + std::string(feature->since) +
                     "; this is SQLite " + sqlite.text + ", which gives NULL");
}

}  // namespace

bool has_no_statement(std::string_view script) {
  return !SqlScanner(trim(script)).next_statement();
}

std::vector<MigrationProblem> check_input(const Migration& migration, const std::string& database) {
  std::vector<MigrationProblem> found;
  const auto add = [&](std::optional<MigrationProblem> problem) {
    if (problem) found.push_back(std::move(*problem));
  };
  add(find_emptiness(migration));
  add(check_format(migration, database));
  check_language(migration, database);
  add(find_reserved_table(migration));
  add(find_null_answer(migration));
  return found;
}

}  // namespace statehouse::detail
