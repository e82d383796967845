#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "sqlite/local_session.hpp"

namespace statehouse::detail {

/// Moves the pages of the log into the database, one call at a time: on the writer between two operations, or beside it
/// in a turn, on a connection of its own. Such a turn never gets to the end while the writer goes on, and need not: the
/// writer moves the rest, and its next commit starts the log anew.
///
/// What a power loss leaves is right at any moment: SQLite syncs the log before it writes the first of its pages into
/// the database, and lets it start anew only when all of it has been moved and the database synced after that, which
/// covers what earlier calls have moved.
///
/// But not so a failed sync: the system forgets what the disk did not take, and the next sync says nothing of it. Pages
/// that were moved are not moved again; and those of the log are moved without a look at their checksums. So from then
/// on the log is left alone, also at the last close: the next opening looks at all of it, and moves what is whole. Only
/// where each commit has synced the log, and nothing had been moved and not synced, can it all be done once more.
class LogMover {
 public:
  using Open = std::function<std::unique_ptr<LocalSession>()>;

  /// `open` gives the connection for turns, when the first one comes, or null when it can not. One that leaves the log
  /// as it is when it is closed.
  LogMover(Open open, bool commits_are_synced) noexcept
      : open_(std::move(open)), commits_are_synced_(commits_are_synced) {}

  /// The right to move, until the end of the scope.
  using Baton = std::unique_lock<std::timed_mutex>;
  Baton take() { return Baton(baton_); }
  /// Both are empty while somebody else has it.
  Baton try_take() { return Baton(baton_, std::try_to_lock); }
  /// Waits no longer than that, by the system's clock.
  Baton take_within(std::chrono::nanoseconds time) { return Baton(baton_, time); }

  /// On the writer: see `WriteAheadLog::checkpoint`. Does nothing when pages are lost.
  WriteAheadLog::Checkpoint move(const Baton& baton, LocalSession& writer, bool truncate) noexcept;
  /// Closes the connections that moving has needed, until it needs them again.
  void rest(const Baton& baton, LocalSession& writer) noexcept;
  /// Beside the writer: moves what that has committed, and syncs the database, so that the writer's last call has
  /// little to move and to sync. Waits for nobody but the disk; does nothing while the writer moves.
  void turn() noexcept;
  /// The connection for turns; before the last close of the writer.
  void close() noexcept;

  // From any thread.
  /// Pages of the log that are in the database, as far as is known.
  int moved() const noexcept { return moved_.load().pages; }
  /// The log has started anew: what a turn has moved of the one before, it may be still at it, counts no more.
  void start_anew() noexcept { moved_ = {moved_.load().log + 1, 0}; }
  /// The last turn has failed, and no call on the writer has gone well since.
  bool stuck() const noexcept { return stuck_; }
  /// Why pages are lost; null when none are.
  const std::string* loss() const noexcept { return lost_ ? &loss_ : nullptr; }

 private:
  /// So many pages of the log of that number.
  struct Moved {
    unsigned log = 0;
    int pages = 0;
  };

  bool move_beside() noexcept;
  void lose(const std::string& why) noexcept;

  const Open open_;
  const bool commits_are_synced_;
  std::timed_mutex baton_;
  // Of who has the baton.
  std::unique_ptr<LocalSession> session_;
  bool unsynced_ = false;  // pages were moved, and the database was perhaps not synced since

  std::string loss_;  // written once, before lost_
  std::atomic<bool> lost_{false};
  std::atomic<bool> stuck_{false};
  std::atomic<Moved> moved_{Moved()};
};

}  // namespace statehouse::detail
