#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "file/file.hpp"

namespace statehouse::detail {

/// What a closed database file looks like from outside: whether somebody else has had it since can be told without
/// opening it.
class FileTrace {
 public:
  /// Nothing where it could not be told: there is a log beside it, which others may still write to, or it was written
  /// so lately that the next write could leave the same time.
  static std::optional<FileTrace> of(const std::filesystem::path& file);

  /// The same file, as it was, and no log.
  bool matches(const std::filesystem::path& file) const;

 private:
  struct Times {
    std::int64_t written;  // in ns
    std::int64_t changed;
    bool operator==(const Times&) const = default;
  };

  static std::optional<FileTrace> look(const std::filesystem::path& file);

  FileIdentity identity_{};
  std::int64_t size_ = 0;
  Times times_{};
};

}  // namespace statehouse::detail
