#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "statehouse/migrator.hpp"

namespace statehouse::detail {

/// What a Migrator knows: checked, sorted by version, the down file of a version after its other one.
struct MigrationSet {
  std::vector<Migration> migrations;
  std::vector<std::string> ignored;

  /// The file that is applied for `version`, null if there is none.
  const Migration* find(std::int64_t version) const noexcept;
  /// Whether a file of any kind has `version`.
  bool knows(std::int64_t version) const noexcept;
};

MigrationSet read_directory(const std::filesystem::path& directory);
MigrationSet read_files(std::span<const EmbeddedFile> files);

}  // namespace statehouse::detail
