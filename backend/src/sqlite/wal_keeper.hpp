#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/engine.hpp"
#include "sqlite/local_session.hpp"

namespace statehouse::detail {

struct LocalEngineConfig;

/// Keeps the write-ahead log of one database short. Works on the writer's connection, between operations, when the
/// callers have heard of their commits: a checkpoint costs two syncs, and only the writes that follow wait for it.
///
/// - Every 32 MiB, or half of the soft limit if that is less, the log is moved into the database. If no reader is in
///   the way, the next commit starts the log anew.
/// - Readers that take turns without a break never let that happen. Over the soft limit they are held back for a
///   moment, and the log is cut to nothing. Nobody waits for a reader that takes longer: that one is named in the log.
/// - When nothing was written for a while the log is cut as well, see `note_idle`.
///
/// Only this connection checkpoints, see WriteAheadLog.
class WalKeeper {
 public:
  explicit WalKeeper(const LocalEngineConfig& config) noexcept : config_(config) {}

  /// The writer was opened: takes the checkpoints over from SQLite, and cuts what a killed process has left.
  void attach(LocalSession& writer);
  /// After each use of the writer: takes note of the log's length; true when a checkpoint is due.
  bool due(const WriteAheadLog& log) noexcept;
  /// A checkpoint, if one is due. `readers` is null when the writer also reads.
  void keep(WriteAheadLog& log, ReaderGate* readers);
  void truncate(WriteAheadLog& log) noexcept { note(log.checkpoint(true)); }

  /// For a periodic check, by one thread: true when nothing was written during the last few calls, and there is
  /// something to cut.
  bool note_idle() noexcept;

 private:
  void note(const WriteAheadLog::Checkpoint& result) noexcept;
  bool over_limit(int frames) const noexcept;
  void warn(int frames, const std::vector<Holder>& readers);

  const LocalEngineConfig& config_;
  std::uint64_t frame_bytes_ = 0;
  int interval_ = 0;  // frames
  int next_ = 0;      // frames
  Clock::time_point warned_ = Clock::time_point::min();
  std::atomic<int> frames_{0};
  // The periodic check's.
  int seen_ = 0;
  int quiet_ = 0;
};

}  // namespace statehouse::detail
