#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "text/utc_stamp.hpp"

namespace statehouse::detail {

/// The backups of one database in one directory, which others may share. Their names tell:
///
///     context.db.20251201T093000.123Z.5f0c3a97.backup
///
/// the file, when it was made, and the directory of the database, as a hash: production and staging may have a database
/// of the same name. So they sort by time, and no name is that of two databases.
class BackupSeries {
 public:
  /// `database` as of `resolve_file`; it need not be there, and the directory neither.
  BackupSeries(const std::filesystem::path& database, std::filesystem::path directory);

  const std::filesystem::path& directory() const noexcept { return directory_; }
  /// Oldest first: regular files only.
  std::vector<std::filesystem::path> list() const;
  /// When one of them was made: as its name says, or before, where the system's time was set back since.
  UtcTime made_at(const std::filesystem::path& file) const;
  /// For one that is made now: sorts behind all others, also when the system's time was set back.
  std::filesystem::path next() const;
  /// Removes what killed processes have left half made. Throws Error in the system category.
  void remove_half_made() const;
  /// Removes all but the latest `keep`, 0 for none. Gives what was removed. One that is in use, with a log or journal
  /// beside it, stays. Throws Error in the system category.
  std::vector<std::filesystem::path> trim(std::size_t keep) const;

 private:
  std::optional<UtcTime> time_of(std::string_view name) const;
  std::vector<std::string> names() const;

  const std::filesystem::path directory_;
  const std::string prefix_;  // "context.db."
  const std::string suffix_;  // ".5f0c3a97.backup"
};

}  // namespace statehouse::detail
