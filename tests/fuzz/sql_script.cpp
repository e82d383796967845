// Scripts: pieces and statements cover the text, statements end where SQLite ends them, and what is said of a script
// beforehand changes nothing in the process.

#include <sqlite3.h>

#include <string>

#include "fuzz.hpp"
#include "migrate/run/script.hpp"
#include "migrate/source/migration_file.hpp"
#include "migrate/source/other_tools.hpp"
#include "migrate/source/script_input.hpp"
#include "text/sql_scanner.hpp"
#include "text/trim.hpp"

using namespace statehouse;
using detail::SqlScanner;
using detail::SqlToken;
using fuzz::require;

namespace {

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}
const char* end_of(std::string_view text) {
  return text.data() + text.size();
}

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const bool mark = text.starts_with("\xEF\xBB\xBF");
    if (!mark && std::string_view(" \t\n\v\f\r").find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(mark ? 3 : 1);
  }
  return true;
}

/// The number of semicolons; nothing where there is more than those and comments.
std::optional<std::size_t> semicolons(std::string_view text) {
  std::size_t count = 0;
  SqlScanner scanner(text);
  while (const auto piece = scanner.next_piece()) {
    if (piece->is(";"))
      ++count;
    else if (piece->kind != SqlToken::type::comment)
      return std::nullopt;
  }
  return count;
}

void check_pieces(std::string_view script) {
  SqlScanner scanner(script);
  const char* at = script.data();
  while (const auto piece = scanner.next_piece()) {
    require(!piece->text.empty() && piece->text.data() >= at, "pieces follow each other");
    require(is_blank(between(at, piece->text.data())), "between pieces are blanks", script);
    at = end_of(piece->text);
  }
  require(is_blank(between(at, end_of(script))), "after the last piece are blanks", script);
}

void check_statements(std::string_view script) {
  SqlScanner scanner(script);
  const char* at = script.data();
  while (const auto statement = scanner.next_statement()) {
    require(statement->text.data() == script.data() + statement->offset, "a statement is where it says");
    require(statement->text.data() >= at && !statement->tokens.empty(), "statements follow each other");
    require(semicolons(between(at, statement->text.data())).has_value(), "between statements is nothing", script);
    require(statement->tokens.front().text.data() == statement->text.data(), "a statement begins with a token");
    at = end_of(statement->text);
    const auto alone = SqlScanner(statement->text).next_statement();
    require(alone && alone->text == statement->text, "a statement by itself is the same one", statement->text);
  }
  require(semicolons(between(at, end_of(script))).has_value(), "after the last statement is nothing", script);
}

sqlite3* open_database() {
  sqlite3* db = nullptr;
  sqlite3_open(":memory:", &db);
  sqlite3_exec(db,
               "CREATE TABLE a(id INTEGER PRIMARY KEY, v); CREATE TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a);"
               "CREATE VIEW w AS SELECT 1 AS x",
               nullptr, nullptr, nullptr);
  // Some PRAGMAs take effect when they are compiled, and some for the whole process.
  const auto no_pragma = [](void*, int action, const char*, const char*, const char*, const char*) {
    return action == SQLITE_PRAGMA ? SQLITE_DENY : SQLITE_OK;
  };
  sqlite3_set_authorizer(db, no_pragma, nullptr);
  return db;
}

/// As far as SQLite understands the script.
void compare_with_sqlite(const std::string& script) {
  static sqlite3* const db = open_database();
  for (const char* at = script.c_str(); *at != '\0';) {
    sqlite3_stmt* compiled = nullptr;
    const char* tail = nullptr;
    const int result = sqlite3_prepare_v2(db, at, -1, &compiled, &tail);
    const bool found = compiled != nullptr;
    sqlite3_finalize(compiled);
    if (result != SQLITE_OK) return;
    const auto statement = SqlScanner(at).next_statement();
    require(statement.has_value() == found, "there is a statement where SQLite finds one", at);
    if (!found) return;
    const char* const end = end_of(statement->text);
    require(end <= tail, "a statement ends where SQLite ends it", at);
    const auto count = semicolons(between(end, tail));
    require(count && *count <= 1, "a statement is all that SQLite takes", at);
    at = tail;
  }
}

/// All that `verify_folder` asks of a script.
void check_reading(std::string script) {
  const Migration migration = detail::make_migration({1, "x", migration_kind::up}, "1_x.up.sql", std::move(script));
  const auto lines = detail::line_of(migration.sql, migration.sql.size());
  try {
    detail::check_content(migration);
    for (const auto& problem : detail::check_input(migration))
      require(problem.line <= lines, "a line is one of the script's", problem.message);
    const auto facts = detail::check_script(migration);
    detail::ScriptPlanner planner(foreign_keys_mode::automatic, {&facts, 1}, nullptr);
    for (const auto& remark : planner.plan(migration, facts).remarks)
      require(remark.line <= lines, "a line is one of the script's", remark.message);
  } catch (const MigrationError& error) {
    require(error.line() > 0 && error.line() <= lines, "a line is one of the script's", error.what());
  }
  require(sqlite3_hard_heap_limit64(-1) == 0 && sqlite3_soft_heap_limit64(-1) == 0,
          "planning leaves the process as it is");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view script = fuzz::text_of(data, size);
  check_pieces(script);
  check_statements(script);
  compare_with_sqlite(std::string(script.substr(0, script.find('\0'))));
  check_reading(std::string(script));
  return 0;
}
