#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "statehouse/migrator.hpp"

namespace statehouse::test {

/// A migrator of files that are written down in the test.
inline Migrator migrator_of(std::initializer_list<EmbeddedFile> files) {
  return Migrator::from_files({files.begin(), files.size()});
}

inline Checksum first_checksum(const Migrator& migrator) {
  return migrator.migrations()[0].checksum;
}

/// A migrator of these scripts, versions 1, 2, ...
inline Migrator migrations(std::initializer_list<std::string_view> scripts, MigratorOptions options = {}) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= scripts.size(); ++i) names.push_back(std::to_string(i) + "_step.sql");
  std::vector<EmbeddedFile> files;
  for (std::size_t i = 0; const std::string_view script : scripts) files.push_back({names[i++], script});
  return Migrator::from_files(files).with_options(std::move(options));
}

}  // namespace statehouse::test
