#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "statehouse/migrator.hpp"

namespace statehouse::detail {

/// Throws MigrationError, `errc::migration_none`, for a folder that yields no migration: what is expected, what lies
/// there instead, and how that becomes a migration.
[[noreturn]] void fail_without_migrations(const std::filesystem::path& directory);
/// The same of files in memory.
[[noreturn]] void fail_without_migrations(std::span<const EmbeddedFile> files);

/// Whether `path` is a folder that has .sql files in it, which nobody reads.
bool is_folder_with_sql(const std::filesystem::path& path);

}  // namespace statehouse::detail
