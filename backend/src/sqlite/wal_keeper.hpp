#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/engine.hpp"
#include "sqlite/log_mover.hpp"

namespace statehouse::detail {

struct LocalEngineConfig;

/// Keeps the write-ahead log of one database short. Works on the writer's connection, between operations, when the
/// callers have heard of their commits: only the writes that follow wait for it.
///
/// - Every 32 MiB, or half of the soft limit if that is less, the log is moved into the database. If no reader is in
///   the way, the next commit starts the log anew.
/// - With `durability::normal` nearly all of that is done beside the writer, in turns, a part of it at a time. When the
///   log is long enough it waits a moment after each commit for the turn that is still at it, so that ever less comes
///   meanwhile, and moves the rest itself when that is little. Where the log is nearly twice as long it waits for the
///   turn's end, and moves all. There are no turns after one that has failed, until the writer has moved what it could
///   not.
/// - With `full`, which syncs the log at each commit, there are none: a sync that has failed can be repeated only where
///   nothing was moved beside. Its file is made longer ahead of short commits.
/// - Readers that take turns without a break never let the log start anew. Over the soft limit they are held back for
///   a moment, and the log is cut to nothing. Nobody waits for a reader that takes longer: that one is named in the
///   log.
/// - When nothing was written for a while the log is cut as well, see `note_idle`.
/// - Where another process is to do all this (`checkpoint_mode`), nothing is done, but what goes over the soft limit is
///   told, and moved by the writer if the mode says so.
///
/// Only these connections checkpoint, see WriteAheadLog and LogMover.
class WalKeeper {
 public:
  WalKeeper(const LocalEngineConfig& config, LogMover::Open open) noexcept;

  /// The writer was opened: takes the checkpoints over from SQLite.
  void attach(LocalSession& writer);
  /// After each use of the writer: takes note of the log's length; true when `keep` has something to do.
  bool due(const WriteAheadLog& log) noexcept;
  /// A checkpoint, if one is due. `readers` is null when nobody else reads. True when a turn beside the writer is
  /// due instead. Throws Error with `errc::sync_failed` when pages are lost.
  bool keep(LocalSession& writer, ReaderGate* readers);
  void turn() noexcept { mover_.turn(); }
  /// When nobody writes for now: cuts the log, if nobody is in the way, and closes the connections that only
  /// checkpoints need.
  void truncate(LocalSession& writer) noexcept;
  /// Before the last close of the writer: cuts the log, if there is anything in it. Says why that failed, if it did.
  std::string finish(LocalSession& writer) noexcept;
  /// There are no turns any more; before `finish`.
  void close() noexcept { mover_.close(); }
  /// Why pages of the database are lost; null when none are. From any thread.
  const std::string* loss() const noexcept { return mover_.loss(); }
  /// The log was found too long, when last written, that another process is to checkpoint, and not before `since`. From
  /// any thread.
  bool unattended_since(Clock::time_point since) const noexcept {
    return unattended_at_.load(std::memory_order_relaxed) >= since;
  }

  /// For a periodic check, by one thread: true when nothing was written during the last few calls, and there is
  /// something to cut.
  bool note_idle() noexcept;

 private:
  /// What is due: a turn; to end with a log that is full, in turns or without; to move all of it.
  enum class step { none, turn, end, all };

  bool beside() const noexcept;
  step next(int frames) const noexcept;
  int left(int frames) const noexcept;
  bool ask_for_turn(int frames) noexcept;
  LogMover::Baton take_at_pace(int frames);
  bool wants_room(int frames) const noexcept;
  void make_room(LocalSession& writer, int frames) noexcept;
  void require_unlost() const;
  void move(const LogMover::Baton& baton, LocalSession& writer, ReaderGate* readers);
  void note(const WriteAheadLog::Checkpoint& result) noexcept;
  bool may_warn();
  void warn_unattended(int frames);
  bool over_limit(int frames) const noexcept;
  void warn(int frames, const std::vector<Holder>& readers);

  const LocalEngineConfig& config_;
  const bool commits_are_synced_;
  LogMover mover_;
  std::uint64_t frame_bytes_ = 0;
  // In frames.
  int interval_ = 0;
  int next_ = 0;       // so many, and the log is to start anew
  int last_turn_ = 0;  // so many when it was asked for
  int last_ = 0;       // so many after the last commit
  bool short_ = true;  // that was no long one
  int looked_ = 0;     // so many when the end was last looked for
  int room_until_ = 0;
  Clock::time_point paced_{};
  Clock::time_point warned_ = Clock::time_point::min();
  std::atomic<int> frames_{0};
  std::atomic<Clock::time_point> unattended_at_{Clock::time_point::min()};
  // The periodic check's.
  int seen_ = 0;
  int quiet_ = 0;
};

}  // namespace statehouse::detail
