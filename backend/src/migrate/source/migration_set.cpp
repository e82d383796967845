#include "migrate/source/migration_set.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "migrate/source/checksum.hpp"
#include "migrate/source/folder_contents.hpp"
#include "migrate/source/migration_file.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

void add(MigrationSet& set, std::string name, std::string file, const std::function<std::string()>& read) {
  if (auto parsed = parse_file_name(name)) {
    Migration& migration = set.migrations.emplace_back(make_migration(std::move(*parsed), std::move(file), read()));
    check_content(migration);
    migration.checksum = checksum_of(migration.sql);
  } else if (looks_like_sql(name)) {
    set.ignored.push_back(std::move(name));
  }
}

void sort_and_check(std::vector<Migration>& migrations) {
  sort(migrations);
  const auto twin = std::ranges::adjacent_find(migrations, are_twins);
  if (twin != migrations.end()) fail_twins(*twin, *std::next(twin));
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
  if (set.migrations.empty()) fail_without_migrations(directory);
  sort_and_check(set.migrations);
  return set;
}

MigrationSet read_files(std::span<const EmbeddedFile> files) {
  MigrationSet set;
  for (const auto& file : files) {
    const std::string name = to_valid_utf8(file.name);
    add(set, name, name, [&] { return std::string(file.content); });
  }
  if (set.migrations.empty() && !files.empty()) fail_without_migrations(files);
  sort_and_check(set.migrations);
  return set;
}

}  // namespace statehouse::detail
