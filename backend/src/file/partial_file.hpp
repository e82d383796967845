#pragma once

#include <filesystem>
#include <string_view>

namespace statehouse::detail {

/// A private file that takes the name of `target` when it is complete: until then `<target>.XXXXXX.partial` beside it,
/// gone with this object. One that a killed process has left is told from one that is being made by its lock, which
/// lasts as long as this object.
class PartialFile {
 public:
  /// `target` as of `resolve_file`; what it is `for`, "backup", is said in errors, which are in the system category.
  PartialFile(std::filesystem::path target, const char* what);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  int descriptor() const noexcept { return descriptor_; }

  /// So that `publish` has little of that left to do.
  void sync() const;
  /// Syncs it, renames it and syncs the directory. No connection has it open any more.
  void publish(bool overwrite) const;

 private:
  void create();

  const std::filesystem::path target_;
  const char* const what_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  const unsigned generation_;  // of forks: a child's copy leaves the file alone
};

/// What "x.db.XXXXXX.partial" is to become, "x.db"; empty when `name` is no such name.
std::string_view target_of_partial(std::string_view name) noexcept;

/// Removes a partial file that nobody makes any more. Best effort.
void remove_abandoned(const std::filesystem::path& partial) noexcept;

/// So that the names in it last. Throws Error in the system category.
void sync_directory(const std::filesystem::path& directory);

}  // namespace statehouse::detail
