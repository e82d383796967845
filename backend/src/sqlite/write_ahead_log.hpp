#pragma once

#include <string>

#include "sqlite/handle.hpp"

namespace statehouse::detail {

/// The write-ahead log as one connection, the writer, sees it.
class WriteAheadLog {
 public:
  explicit WriteAheadLog(Handle& handle) noexcept : handle_(handle) {}

  /// From now on commits do not checkpoint; the owner looks at `frames` and calls `checkpoint`.
  void watch() noexcept;
  bool watched() const noexcept { return watched_; }
  /// Pages in the log after the last commit of this connection, 0 when it was truncated since.
  int frames() const noexcept { return frames_; }
  int page_size();

  struct Checkpoint {
    int frames = 0;         ///< In the log, afterwards.
    int moved = 0;          ///< Of those, in the database too.
    std::string failure{};  ///< Why not all that could be moved was; empty when nothing went wrong.
  };
  /// Moves as much of the log into the database as its readers allow, and, if asked to and nobody reads it, cuts it to
  /// nothing. Waits for nobody, and is not interrupted.
  Checkpoint checkpoint(bool truncate) noexcept;

 private:
  Handle& handle_;
  int frames_ = 0;
  bool watched_ = false;
};

}  // namespace statehouse::detail
