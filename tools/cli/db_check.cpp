#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>

#include <boost/json/array.hpp>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "statehouse/check.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

struct ForeignKeyViolation {
  std::string table;
  std::optional<std::int64_t> rowid;
  std::string parent;
  std::int64_t key;
};

struct Health {
  std::vector<std::string> damage;  ///< What quick_check has found.
  std::vector<ForeignKeyViolation> orphans;
  std::string journal_mode;
  std::int64_t page_size = 0;
  std::int64_t pages = 0;
  std::int64_t free_pages = 0;
  unsigned mode = 0;
  std::uintmax_t file_bytes = 0;
  std::uintmax_t wal_bytes = 0;
};

std::vector<std::string> damage_by(Connection& connection, const std::string& check) {
  auto damage = connection.query_all<std::string>(check);
  if (damage == std::vector<std::string>{"ok"}) damage.clear();
  return damage;
}

Health examine(Connection& connection, const fs::path& file) {
  const Progress progress("checking", "");
  Health health;
  health.mode = static_cast<unsigned>(fs::status(file).permissions() & fs::perms::all);
  health.file_bytes = size_of(file);
  health.wal_bytes = size_of(file.string() + "-wal");
  // As this PRAGMA can also change something, the reading verbs do not take it.
  health.journal_mode = connection.native().execAndGet("PRAGMA journal_mode").getString();
  health.page_size = connection.query_one<std::int64_t>("PRAGMA page_size");
  health.pages = connection.query_one<std::int64_t>("PRAGMA page_count");
  health.free_pages = connection.query_one<std::int64_t>("PRAGMA freelist_count");
  try {
    health.damage = damage_by(connection, "PRAGMA quick_check");
    // As the library does it: what the quick one finds can be there in SQLite's imagination only.
    if (!health.damage.empty()) health.damage = damage_by(connection, "PRAGMA integrity_check");
    health.orphans = connection.query_all<ForeignKeyViolation>("PRAGMA foreign_key_check");
  } catch (const Error& error) {
    if (!is_damage(error.code())) throw;
    health.damage.emplace_back(error.what());  // too damaged to be looked through
  }
  return health;
}

/// "0600"
std::string octal(unsigned mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

void tell(const Health& health, const SqliteVersion& sqlite, Output& output) {
  json::array damage;
  for (const auto& line : health.damage) damage.emplace_back(line);
  json::array orphans;
  for (const auto& orphan : health.orphans)
    orphans.push_back({{"table", orphan.table},
                       {"rowid", orphan.rowid ? json::value(*orphan.rowid) : json::value()},
                       {"parent", orphan.parent},
                       {"foreign_key", orphan.key}});
  output.document()["quick_check"] = std::move(damage);
  output.document()["foreign_key_check"] = std::move(orphans);
  output.document()["journal_mode"] = health.journal_mode;
  output.document()["mode"] = octal(health.mode);
  output.document()["file_bytes"] = health.file_bytes;
  output.document()["wal_bytes"] = health.wal_bytes;
  output.document()["page_size"] = health.page_size;
  output.document()["pages"] = health.pages;
  output.document()["free_pages"] = health.free_pages;
  output.document()["sqlite_version"] = sqlite.text;
  output.document()["wal_reset_bug"] = sqlite.wal_reset_bug;
}

/// For people.
Table to_table(const Health& health, const SqliteVersion& sqlite, const fs::path& file) {
  const auto finding = [](std::size_t problems, const char* what) {
    return problems == 0 ? Cell{"ok", style::good} : Cell{count_text(problems, what), style::bad};
  };
  const bool wal = health.journal_mode == "wal";
  const bool open_to_others = (health.mode & 077) != 0;
  Table table;
  table.rows = {
      {{"file"}, {file.string()}},
      {{"size"},
       {size_text(health.file_bytes) + ", of it free " +
        size_text(static_cast<std::uintmax_t>(health.free_pages * health.page_size))}},
      {{"mode"},
       {octal(health.mode) +
            (open_to_others ? ", others may read or write it: chmod 600 it, and its -wal and -shm" : ""),
        open_to_others ? style::warning : style::plain}},
      {{"write-ahead log"}, {size_text(health.wal_bytes)}},
      {{"journal mode"},
       {health.journal_mode + (wal ? "" : ", becomes wal when statehouse opens it"),
        wal ? style::plain : style::warning}},
      {{"quick_check"}, finding(health.damage.size(), "problem")},
      {{"foreign_key_check"}, finding(health.orphans.size(), "row without a parent")},
      {{"SQLite"},
       {sqlite.text + (sqlite.wal_reset_bug ? ", has the WAL-reset bug: let only the server write and checkpoint "
                                              "(https://www.sqlite.org/wal.html section 11)"
                                            : ""),
        sqlite.wal_reset_bug ? style::warning : style::plain}}};
  for (const auto& line : health.damage) table.rows.push_back({{""}, {line, style::bad}});
  constexpr std::size_t shown = 20;
  for (std::size_t i = 0; i < health.orphans.size() && i < shown; ++i) {
    const auto& orphan = health.orphans[i];
    table.rows.push_back({{""},
                          {orphan.table + (orphan.rowid ? ", rowid " + std::to_string(*orphan.rowid) : "") +
                               ": no such row in " + orphan.parent,
                           style::bad}});
  }
  if (health.orphans.size() > shown) table.rows.push_back({{""}, {"and more: --format json has all"}});
  return table;
}

}  // namespace

void db_check(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  output.document()["database"] = file.string();
  auto connection = open_to_read(arguments, file);
  const Health health = examine(connection, file);
  const SqliteVersion sqlite = sqlite_version();
  tell(health, sqlite, output);
  output.table(to_table(health, sqlite, file));
  if (!health.damage.empty())
    throw Finding("corrupt", "the database is damaged: keep a copy of all its files, and restore a backup");
  if (!health.orphans.empty())
    throw Finding("foreign_keys", count_text(health.orphans.size(), "row") +
                                      " refer to rows that do not exist: delete them, or insert what is missing");
}

}  // namespace statehouse::cli
