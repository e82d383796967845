#include "migrate/source/folder_contents.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "migrate/source/file_name.hpp"
#include "migrate/source/migration_file.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

struct Folder {
  std::string name;
  Names files;
};

struct Contents {
  std::vector<Folder> folders;
  Names files;

  bool empty() const { return folders.empty() && files.empty(); }
};

/// Without what is hidden; sorted. Nothing where it cannot be read.
Names visible_names(const fs::path& directory) {
  Names names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = to_valid_utf8(entry->path().filename().string());
    if (!name.starts_with('.')) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

Contents contents_of(const fs::path& directory) {
  Contents contents;
  std::error_code error;
  for (std::string& name : visible_names(directory)) {
    if (fs::is_directory(directory / name, error)) {
      Names files = visible_names(directory / name);
      contents.folders.push_back({std::move(name), std::move(files)});
    } else {
      contents.files.push_back(std::move(name));
    }
  }
  return contents;
}

/// "'a', 'b' and 7 more"
std::string listed(const Names& names) {
  constexpr std::size_t most = 5;
  const std::size_t shown_names = names.size() > most + 1 ? most : names.size();
  std::string text;
  for (std::size_t i = 0; i < shown_names; ++i) text += (i > 0 ? ", '" : "'") + names[i] + "'";
  if (shown_names < names.size()) text += " and " + std::to_string(names.size() - shown_names) + " more";
  return text;
}

std::string what_lies_in(const Contents& contents) {
  Names names = contents.files;
  for (const Folder& folder : contents.folders)
    names.push_back(folder.files.empty() ? folder.name + "/" : folder.name + "/" + folder.files.front());
  return contents.empty() ? "It is empty" : "In it: " + listed(names);
}

const Folder* folder_with(const Contents& contents, std::string_view file) {
  const auto has = [&](const Folder& folder) { return std::ranges::find(folder.files, file) != folder.files.end(); };
  const auto found = std::ranges::find_if(contents.folders, has);
  return found == contents.folders.end() ? nullptr : &*found;
}

bool has_folder(const Contents& contents, std::string_view name) {
  return std::ranges::find(contents.folders, name, &Folder::name) != contents.folders.end();
}

/// "20250101000000_init" for a folder that is one migration.
std::string stem_for(const Folder& folder) {
  const std::string name = suggested_name(folder.name + ".sql");
  return name.empty() ? "20250101120000_" + folder.name : name.substr(0, name.size() - std::string_view(".sql").size());
}

/// Whose program or description a file is, if it is one.
bool is_program(std::string_view file) {
  constexpr std::array<std::string_view, 20> endings{".js",  ".cjs", ".mjs",  ".ts",   ".py",  ".rb",  ".go",
                                                     ".php", ".exs", ".java", ".kt",   ".cs",  ".rs",  ".clj",
                                                     ".edn", ".xml", ".yml",  ".yaml", ".hcl", ".fizz"};
  return std::ranges::any_of(endings, [&](std::string_view ending) { return file.ends_with(ending); });
}

std::string how_to_rename(const std::string& file) {
  std::string name = suggested_name(file);
  if (name.empty()) name = "20250101120000_" + file;
  return ". A name begins with a version and '_': '" + file + "' becomes '" + name + "'";
}

std::string advice(const std::string& directory, const Contents& contents) {
  if (const Folder* one = folder_with(contents, "up.sql"))
    return ". A folder for each migration is how diesel has it, and nobody reads it here: make '" + stem_for(*one) +
           ".up.sql' of '" + one->name + "/up.sql', '" + stem_for(*one) + ".down.sql' of its down.sql, and so on";
  if (const Folder* one = folder_with(contents, "migration.sql"))
    return ". A folder for each migration is how Prisma has it, and nobody reads it here: make '" + stem_for(*one) +
           ".sql' of '" + one->name + "/migration.sql', and so on";
  if (has_folder(contents, "deploy") && has_folder(contents, "revert"))
    return ". This is how Sqitch has it: make <version>_<change>.up.sql of deploy/<change>.sql and .down.sql of "
           "revert/<change>.sql, with versions in the order of the plan and without BEGIN and COMMIT";
  if (const auto file = std::ranges::find_if(contents.files, looks_like_sql); file != contents.files.end())
    return how_to_rename(*file);
  for (const Folder& folder : contents.folders)
    if (std::ranges::any_of(folder.files, looks_like_sql))
      return ". Folders in it are not read: give '" + directory + "/" + folder.name +
             "' where those are meant, or move the files up";
  if (const auto file = std::ranges::find_if(contents.files, is_program); file != contents.files.end())
    return ". '" + *file + "' is for another tool, which runs or reads it; here migrations are SQL. Have that tool " +
           "print its SQL, or write it, into files of such names";
  return ". 'statehouse migrate add' makes the first one; or another folder is meant";
}

[[noreturn]] void fail(const std::string& what, const std::string& directory, const Contents& contents) {
  throw MigrationError(errc::migration_none,
                       what +
                           " no migrations: files with names like 20250101120000_create_users.sql, or .up.sql and "
                           ".down.sql of one version, directly in it. " +
                           what_lies_in(contents) + advice(directory, contents),
                       {{}, directory});
}

}  // namespace

void fail_without_migrations(const fs::path& directory) {
  fail("the folder '" + shown(directory) + "' holds", shown(directory), contents_of(directory));
}

void fail_without_migrations(std::span<const EmbeddedFile> files) {
  Contents contents;
  for (const EmbeddedFile& file : files) contents.files.push_back(to_valid_utf8(file.name));
  fail("the files that were given are", {}, contents);
}

bool is_folder_with_sql(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && std::ranges::any_of(visible_names(path), looks_like_sql);
}

}  // namespace statehouse::detail
