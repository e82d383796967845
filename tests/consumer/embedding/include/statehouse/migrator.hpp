#pragma once

// Stands in for the library's own header: keeps what was embedded as it is, where the real Migrator would judge it.

#include <span>
#include <string_view>
#include <vector>

namespace statehouse {
struct EmbeddedFile {
  std::string_view name;
  std::string_view content;
};

struct Migrator {
  std::vector<EmbeddedFile> files;

  static Migrator from_files(std::span<const EmbeddedFile> files) { return {{files.begin(), files.end()}}; }
};
}  // namespace statehouse
