#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "migrate/source/file_name.hpp"
#include "statehouse/migration.hpp"

namespace statehouse::detail {

// What a folder of migrations must keep to, rule by rule. Each throws MigrationError, `errc::migration_source`, that
// says what is wrong and what to do.

/// The path for messages.
std::string shown(const std::filesystem::path& path);

/// "migration 3 'add users' (migrations/3_add_users.sql)"
std::string describe(const Migration& migration, std::size_t line = 0);

std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& directory);

/// False for what may lie in the folder without being read; a dangling symbolic link may not.
bool is_file(const std::filesystem::path& path);

std::string read_content(const std::filesystem::path& path);

/// Whether a name that is no migration's may be meant to be one. Upper case does not count as one, but somebody may
/// think so.
bool looks_like_sql(std::string_view name);

/// Without a checksum, and unchecked.
Migration make_migration(FileName name, std::string file, std::string content);

/// The text is UTF-8 and has no NUL byte that would end the script.
void check_content(const Migration& migration);

/// "20250101120000_x.sql" for a file 20250101_120000_x.sql, which has the version 20250101. Empty where no time
/// of day comes after a date.
std::string name_with_longer_version(const Migration& migration);

/// By version, the down file of a version after its other file, twins by file name.
void sort(std::vector<Migration>& migrations);
bool are_twins(const Migration& first, const Migration& second) noexcept;
[[noreturn]] void fail_twins(const Migration& first, const Migration& second);

}  // namespace statehouse::detail
