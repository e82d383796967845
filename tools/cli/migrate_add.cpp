#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <limits>
#include <set>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/migrator.hpp"
#include "utf8.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(int error, const std::string& what, const fs::path& path) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, what + " '" + path.string() + "': " + code.message());
}

/// What follows the version in the file name.
std::string file_text(const std::string& description) {
  const auto unfit = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/' || c == '\\'; };
  if (description.empty() || std::ranges::any_of(description, unfit) || !characters_of(description))
    throw UsageError("NAME becomes a part of a file name: give some words, without '/' and control characters");
  if (description.ends_with(".sql") || description.ends_with(".up") || description.ends_with(".down"))
    throw UsageError("NAME is what the migration does, not a file name: leave .sql, .up and .down to this command");
  std::string text = description;
  std::ranges::replace(text, ' ', '_');
  return text;
}

std::int64_t timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  const std::int64_t date = (utc.tm_year + 1900) * 10000LL + (utc.tm_mon + 1) * 100LL + utc.tm_mday;
  return date * 1000000 + utc.tm_hour * 10000LL + utc.tm_min * 100LL + utc.tm_sec;
}

/// As sqlx-cli has it: the next number where the two latest versions differ by one, or the only one is 0 or 1.
bool counts_up(const std::set<std::int64_t>& versions) {
  if (versions.empty()) return false;
  const auto latest = versions.rbegin();
  if (versions.size() == 1) return *latest == 0 || *latest == 1;
  const auto previous = std::next(latest);
  return *previous == *latest - 1;
}

std::string next_version(const Arguments& arguments, const std::set<std::int64_t>& versions) {
  if (arguments.sequential || (!arguments.timestamp && counts_up(versions))) {
    if (!versions.empty() && *versions.rbegin() == std::numeric_limits<std::int64_t>::max())
      throw UsageError("there is no version after " + std::to_string(*versions.rbegin()) + ": use --timestamp");
    const std::int64_t next = versions.empty() ? 1 : *versions.rbegin() + 1;
    const std::string text = std::to_string(next);
    return next < 0 || text.size() >= 4 ? text : std::string(4 - text.size(), '0') + text;
  }
  std::int64_t version = timestamp();
  while (versions.contains(version)) ++version;  // a second one within a second
  return std::to_string(version);
}

void create(const fs::path& file, std::string_view content) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(errno, "cannot create", file);
  const bool written = ::write(descriptor, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  const int error = errno;
  if (::close(descriptor) != 0 || !written) {
    ::unlink(file.c_str());
    fail(written ? errno : error, "cannot write", file);
  }
}

/// A pair is created as a whole or not at all.
std::vector<fs::path> create_files(const fs::path& stem, bool reversible) {
  if (!reversible) {
    create(stem.string() + ".sql", "-- Add migration script here\n");
    return {stem.string() + ".sql"};
  }
  const fs::path up = stem.string() + ".up.sql";
  const fs::path down = stem.string() + ".down.sql";
  create(up, "-- Add up migration script here\n");
  try {
    create(down, "-- Add down migration script here\n");
  } catch (...) {
    ::unlink(up.c_str());
    throw;
  }
  return {up, down};
}

/// None in a folder that has none yet.
std::vector<Migration> existing_migrations(const fs::path& source) {
  try {
    const Migrator migrator = Migrator::from_directory(source);
    return {migrator.migrations().begin(), migrator.migrations().end()};
  } catch (const MigrationError& error) {
    if (error.code() != errc::migration_none) throw;
    return {};
  }
}

/// The function that statehouse_embed_migrations makes for a database of this name.
std::string function_name(std::string_view database) {
  std::string name;
  for (const char c : database) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (kept) name += c;
    if (!kept && !name.ends_with('_')) name += '_';
  }
  return name.front() >= '0' && name.front() <= '9' ? '_' + name : name;
}

std::string how_to_embed(const fs::path& source) {
  const std::string folder = (fs::absolute(source) / "").lexically_normal().parent_path().filename().string();
  const auto database = DatabaseName::parse(folder == "migrations" ? "app" : folder);
  const std::string name(database ? database->view() : "app");
  const std::string function = function_name(name);
  return "Fill in what it does. To build the migrations into a program, in its CMakeLists.txt:\n"
         "  statehouse_embed_migrations(<target> DATABASE " +
         name + " DIRECTORY " + source.string() +
         ")\n"
         "and in its source:\n"
         "  #include <statehouse/migrations/" +
         function +
         ".hpp>\n"
         "  state.db_instances.add_migrator(\"" +
         name + "\", statehouse::migrations::" + function + "());";
}

}  // namespace

void migrate_add(const Arguments& arguments, Output& output) {
  const std::string text = file_text(arguments.description);
  const fs::path source(arguments.source);
  std::error_code error;
  fs::create_directories(source, error);
  if (error && !fs::is_directory(source)) fail(error.value(), "cannot create the migrations directory", source);

  const std::vector<Migration> existing = existing_migrations(source);
  std::set<std::int64_t> versions;
  for (const auto& migration : existing) versions.insert(migration.version);
  const bool like_latest = !existing.empty() && existing.back().kind != migration_kind::simple;
  const bool reversible = arguments.reversible || (!arguments.simple && like_latest);
  const std::string version = next_version(arguments, versions);

  json::array created;
  for (const auto& file : create_files(source / (version + '_' + text), reversible)) {
    output.line("created " + file.string(), style::good);
    created.emplace_back(file.string());
  }
  const std::string embed = how_to_embed(source);
  output.line('\n' + embed);
  output.document()["version"] = std::stoll(version);
  output.document()["reversible"] = reversible;
  output.document()["created"] = std::move(created);
  output.document()["embed"] = embed;
}

}  // namespace statehouse::cli
