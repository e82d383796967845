#include "import_hint.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <string_view>
#include <vector>

#include "statehouse/migration.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

struct OtherTool {
  std::string_view name;
  std::string_view table;  ///< Where it records what it has applied.
  std::string_view how;
};

constexpr OtherTool goose{
    "goose", "goose_db_version",
    "Of each file, what follows '-- +goose Up' goes into VERSION_NAME.up.sql and what follows '-- +goose Down' into "
    "VERSION_NAME.down.sql, without any comment that begins with '+goose'; for NO TRANSACTION the first line is "
    "'-- no-transaction'. What is written in Go has to be written in SQL."};
constexpr OtherTool dbmate{
    "dbmate", "schema_migrations",
    "Of each file, what follows '-- migrate:up' goes into VERSION_NAME.up.sql and what follows '-- migrate:down' into "
    "VERSION_NAME.down.sql, without these comments; for 'transaction:false' the first line is '-- no-transaction'."};
constexpr OtherTool diesel{"diesel", "__diesel_schema_migrations",
                           "2025-01-01-120000_NAME/up.sql becomes 20250101120000_NAME.up.sql, its down.sql "
                           "20250101120000_NAME.down.sql; where a "
                           "metadata.toml says 'run_in_transaction = false', the first line is '-- no-transaction'."};
constexpr OtherTool flyway{"Flyway", "flyway_schema_history",
                           "V1__NAME.sql becomes 1_NAME.sql; where there is a U1__NAME.sql, 1_NAME.up.sql and "
                           "1_NAME.down.sql. A version is one "
                           "whole number: number those like 1.2 anew, in their order. What is repeatable, R__NAME.sql, "
                           "becomes a new migration "
                           "whenever it changes, with a DROP before it."};
constexpr OtherTool prisma{
    "Prisma", "_prisma_migrations",
    "20250101120000_NAME/migration.sql becomes 20250101120000_NAME.sql; migration_lock.toml is not "
    "needed."};
constexpr OtherTool drizzle{"drizzle", "__drizzle_migrations",
                            "0000_NAME.sql may stay as it is, and so may '--> statement-breakpoint', a comment; "
                            "20250101120000_NAME/migration.sql "
                            "becomes 20250101120000_NAME.sql. The folder meta and snapshot.json are not read."};

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    entries.push_back(entry->path());
  return entries;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// "V1.2__name.sql", "R__name.sql"
bool is_of_flyway(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.ends_with(".sql") || name.empty() || std::string_view("VUR").find(name[0]) == std::string_view::npos)
    return false;
  const auto end = name.find("__");
  const std::string_view version = std::string_view(name).substr(1, end - 1);
  return end != std::string::npos && std::ranges::all_of(version, [](char c) {
           return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_';
         });
}

/// Whether a line of it begins with one of these comments.
const OtherTool* tool_of_content(const fs::path& path) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("-- +goose ")) return &goose;
    if (line.starts_with("-- migrate:up") || line.starts_with("-- migrate:down")) return &dbmate;
  }
  return nullptr;
}

/// nullptr for one of our own, or one that is not known.
const OtherTool* tool_of_entry(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name == "migration_lock.toml") return &prisma;
  if (is_file(path / "_journal.json") || is_file(path / "snapshot.json")) return &drizzle;
  if (is_file(path / "up.sql")) return &diesel;
  if (is_file(path / "migration.sql")) return &prisma;
  if (is_of_flyway(path)) return &flyway;
  return name.ends_with(".sql") && is_file(path) ? tool_of_content(path) : nullptr;
}

const OtherTool* tool_of(const fs::path& folder) {
  const OtherTool* found = nullptr;
  for (const fs::path& entry : entries_of(folder)) {
    const OtherTool* const tool = tool_of_entry(entry);
    // Prisma's files alone could be of drizzle.
    if (tool != nullptr && (found == nullptr || tool == &drizzle)) found = tool;
  }
  return found;
}

bool is_about_the_folder(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const MigrationError& migration) {
    // What is there already the other tool may have made.
    if (migration.code() == errc::migration_failed)
      return std::string_view(migration.what()).find("already exists") != std::string_view::npos;
    constexpr std::array codes{errc::migration_source, errc::migration_none, errc::migration_refused};
    return std::ranges::any_of(codes, [&](errc code) { return migration.code() == code; });
  } catch (...) {
    return false;
  }
}

}  // namespace

std::string import_hint(const std::exception_ptr& error, const fs::path& folder) {
  const OtherTool* const tool = is_about_the_folder(error) ? tool_of(folder) : nullptr;
  if (tool == nullptr) return {};
  const std::string name(tool->name);
  return "'" + folder.string() + "' is a folder of " + name + ". " + std::string(tool->how) + " Then a database that " +
         name + " has migrated, with its table " + std::string(tool->table) +
         ", is taken over by: statehouse migrate baseline VERSION, the last that it has applied";
}

}  // namespace statehouse::cli
