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
};

MigrationSet read_directory(const std::filesystem::path& directory);
MigrationSet read_files(std::span<const EmbeddedFile> files);

}  // namespace statehouse::detail
