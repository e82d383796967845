// Folders of migrations: a folder and the same files in memory are the same set, or both are refused, and `verify` says
// so beforehand; a name that is suggested can be used. The input is up to four files, divided by NUL: a name, a newline
// and the content. A name that ends in '/' is a folder with a file in it.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "files.hpp"
#include "fuzz.hpp"
#include "migrate/source/file_name.hpp"
#include "migrate/source/migration_file.hpp"
#include "migrate/source/script_input.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"
#include "text/unicode.hpp"

using namespace statehouse;
using fuzz::require;

namespace {

constexpr std::size_t most_files = 4;
constexpr std::size_t longest_name = 255;

using Files = std::map<std::string, std::string, std::less<>>;

Files files_in(std::string_view input) {
  Files files;
  while (!input.empty() && files.size() < most_files) {
    const auto [one, rest] = fuzz::split(input, '\0');
    const auto [name, content] = fuzz::split(one, '\n');
    const std::string_view bare = name.substr(0, name.size() - (name.ends_with('/') ? 1 : 0));
    if (!bare.empty() && bare != "." && bare != ".." && bare.size() <= longest_name && bare.find('/') == bare.npos)
      files.emplace(name, content);
    input = rest;
  }
  return files;
}

void check_name(const std::string& name) {
  const std::string shown = detail::to_valid_utf8(name);
  if (const std::string meant = detail::suggested_name(shown); !meant.empty()) {
    const auto parsed = detail::parse_file_name(meant);
    require(parsed && !parsed->description.empty(), "a name that is suggested can be used", meant);
  }
  try {
    const auto parsed = detail::parse_file_name(name);
    if (!parsed) return;
    require(parsed->description.find('_') == std::string::npos, "a description has blanks", parsed->description);
    const auto again = detail::parse_file_name(std::to_string(parsed->version) + "_x.sql");
    require(again && again->version == parsed->version, "a version is a number that can be written", name);
  } catch (const MigrationError& error) {
    require(error.code() == errc::migration_source, "a name is refused as such", error.what());
  }
}

void make(const std::filesystem::path& folder, const Files& files) {
  for (const auto& [name, content] : files) {
    std::error_code taken;  // by a folder or a file of the same name
    if (!name.ends_with('/')) {
      if (!std::filesystem::is_directory(folder / name)) test::write_file(folder / name, content);
    } else if (std::filesystem::create_directory(folder / name.substr(0, name.size() - 1), taken)) {
      test::write_file(folder / name / "up.sql", content);
    }
  }
}

template <class Read>
std::optional<Migrator> read(Read&& how, boost::system::error_code& refusal) {
  try {
    return std::forward<Read>(how)();
  } catch (const MigrationError& error) {
    refusal = error.code();
    return std::nullopt;
  }
}

void compare(const Migrator& folder, const Migrator& memory) {
  const auto here = folder.migrations();
  const auto there = memory.migrations();
  require(here.size() == there.size(), "a folder has as many migrations as its files");
  for (std::size_t i = 0; i < here.size(); ++i) {
    require(here[i].version == there[i].version && here[i].kind == there[i].kind &&
                here[i].description == there[i].description && here[i].checksum == there[i].checksum,
            "a folder has the migrations of its files", here[i].file);
  }
}

/// Before anything is run.
bool is_refused(const Migration& migration) {
  try {
    detail::check_input(migration);
    return false;
  } catch (const MigrationError&) {
    return true;
  }
}

void check_folder(const std::filesystem::path& folder) {
  boost::system::error_code folder_error;
  boost::system::error_code memory_error;
  std::vector<std::pair<std::string, std::string>> contents;
  for (const std::string& name : test::names_in(folder))
    if (std::filesystem::is_regular_file(folder / name)) contents.emplace_back(name, test::read_file(folder / name));
  std::vector<EmbeddedFile> files;
  for (const auto& [name, content] : contents) files.push_back({name, content});

  const auto from_folder = read([&] { return Migrator::from_directory(folder); }, folder_error);
  const auto from_memory = read([&] { return Migrator::from_files(files); }, memory_error);
  if (!files.empty()) require(folder_error == memory_error, "a folder is refused as its files are");
  if (from_folder && from_memory) compare(*from_folder, *from_memory);

  bool fails = false;
  for (const MigrationProblem& problem : verify_folder(folder))
    fails = fails || problem.severity == problem_severity::error;
  if (!from_folder) require(fails, "what cannot be read is an error beforehand");
  if (!from_folder || fails) return;
  for (const Migration& migration : from_folder->migrations())
    require(!is_refused(migration), "what is refused is an error beforehand", migration.file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Files files = files_in(fuzz::text_of(data, size));
  for (const auto& [name, content] : files) check_name(name);
  const testing::TempDir folder;
  make(folder.path(), files);
  check_folder(folder.path());
  return 0;
}
