#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "sqlite/handle.hpp"
#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// The write-ahead log as one connection, the writer, sees it.
///
/// Invariant: while SQLite checkpoints for us, another connection of ours, the pin, has a read transaction that began
/// before and ends after. Else, on versions with the WAL-reset bug (https://www.sqlite.org/wal.html section 11), the
/// checkpoint may take the length of the log, then another process starts the log anew, and the old length is taken for
/// the new log's. That SQLite asks for the write lock when it is to cut the log is no help: if another process has
/// that, and nothing is waited for, it goes on without. But the pin is: either it needs the log, then nobody can start
/// it anew; or all had been moved when it began, then nothing can be moved as long as it lasts.
class WriteAheadLog {
 public:
  explicit WriteAheadLog(Handle& handle) noexcept;
  ~WriteAheadLog();

  /// From now on commits do not checkpoint by themselves, but as `checkpoint_from` says.
  void watch() noexcept;
  bool watched() const noexcept { return watched_; }
  /// A commit that leaves so many pages in the log moves them. Without it the owner looks at `frames` and calls
  /// `checkpoint`.
  void checkpoint_from(int frames) noexcept { automatic_ = frames; }
  static constexpr int never = std::numeric_limits<int>::max();
  /// Pages in the log after the last commit of this connection, 0 when it was truncated since.
  int frames() const noexcept { return frames_; }
  /// Of this connection, since `watch`.
  std::uint64_t commits() const noexcept { return commits_; }
  int page_size();
  /// Nothing is in the file: there is nothing to move, and nothing to cut. False also where that is not known.
  bool empty() const noexcept;

  struct Checkpoint {
    int frames = 0;     ///< In the log, afterwards.
    int moved = 0;      ///< Of those, in the database too.
    bool told = false;  ///< SQLite has told the two numbers: nobody else was at it, and nothing went wrong.
    bool sync_failed = false;
    std::string failure{};  ///< Why not all that could be moved was; empty when nothing went wrong.
  };
  /// Moves as much of the log into the database as its readers allow, and, if asked to and nobody reads it, cuts it to
  /// nothing. Waits for nobody, and is not interrupted.
  Checkpoint checkpoint(bool truncate) noexcept;
  /// Closes the pin; the next checkpoint opens another.
  void unpin() noexcept { pin_.reset(); }
  /// Syncs the database file, as SQLite does at the end of a checkpoint that has moved all. Says why that failed, if it
  /// did.
  std::string sync_database() noexcept;
  /// Makes the file so long, with zeros, which SQLite does not take for pages. In a transaction that writes, so that no
  /// other process writes there.
  void reach(std::int64_t bytes) noexcept;

 private:
  class Pinned;

  void on_commit(int frames) noexcept;
  /// As SQLite has it open, and how long it is; null when it has not.
  sqlite3_file* file(sqlite3_int64& size) const noexcept;
  Checkpoint run(int mode) noexcept;
  void tell(int mode, checkpoint_outcome outcome, Clock::duration took) const noexcept;

  Handle& handle_;
  std::unique_ptr<Session> pin_;  // opened when first needed
  int frames_ = 0;
  std::uint64_t commits_ = 0;
  int automatic_ = never;
  bool watched_ = false;
};

}  // namespace statehouse::detail
