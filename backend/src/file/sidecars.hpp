#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "file/file.hpp"

namespace statehouse::detail {

/// The log and its index beside a database that this process has open in WAL mode: they are a part of what the database
/// is, by device and inode. Who removes or replaces them has the commits that follow go into a file without a name, and
/// other processes work on another log.
///
/// SQLite makes both when the first connection opens them, and removes them with the last, in whatever process. So they
/// stay the same from `note` until there are no connections of ours.
///
/// Thread-safety: all functions, from any thread.
class Sidecars {
 public:
  /// `indexed`: the index is a file, which it is not where the database belongs to one process alone.
  Sidecars(std::filesystem::path file, bool indexed);

  /// A connection is open.
  void add() noexcept;
  /// One is about to be closed.
  void remove() noexcept;
  /// A connection is open and has made them, if nobody has: from now on they may not change. Does nothing where that is
  /// known already.
  void note() noexcept;

  /// The name of the first that is gone or another, if they were noted.
  std::optional<std::string> lost() const;

 private:
  struct Sidecar {
    std::filesystem::path path;
    std::optional<FileIdentity> identity;
  };

  mutable std::mutex mutex_;
  std::vector<Sidecar> sidecars_;
  int connections_ = 0;
};

}  // namespace statehouse::detail
