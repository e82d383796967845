#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/session.hpp"
#include "statehouse/error.hpp"
#include "statehouse/stats.hpp"
#include "statehouse/time_limit.hpp"

namespace statehouse::detail {

/// What an engine may ask of the readers while it works on the writer.
class ReaderGate {
 public:
  /// Until `open_again` no reader begins anything. True as soon as none reads, false when that takes longer than
  /// `limit`.
  virtual bool hold_back(TimeLimit limit) = 0;
  virtual void open_again() = 0;
  /// Who has a snapshot, or is about to.
  virtual std::vector<Holder> reading() const = 0;

 protected:
  ~ReaderGate() = default;
};

/// For statistics, without I/O on the database.
struct EngineFacts {
  std::uint64_t file_bytes = 0;
  std::uint64_t wal_bytes = 0;
  bool vulnerable_sqlite = false;
  decltype(DatabaseStats::checkpoints) checkpoints{};
};

/// Why a database can be served no more, by this process.
struct Loss {
  errc code;
  std::string text;
};

/// One database, as whatever keeps it sees it: opens connections to it and looks after it between their operations. One
/// that others look after does nothing in between.
///
/// Thread-safety: what takes the writer is called by the thread that has it, `work_beside` by one at a time, beside
/// that; `due`, `note_idle`, `loss`, `facts`, `missed_leader_since` and `log_unattended_since` by any, the first two by
/// one at a time. Those do not block; all others are called on database threads only.
class Engine {
 public:
  virtual ~Engine() = default;

  /// One more connection, opened and configured. Throws Error and leaves nothing open when it fails or `interrupter`
  /// stops it.
  virtual std::unique_ptr<Session> open(connection_role role, std::shared_ptr<Interrupter> interrupter) = 0;
  /// The writer was opened, and migrated: from now on it serves operations.
  virtual void begin_service(Session&) {}
  /// After each use of the writer: true when `before_next` has something to do.
  virtual bool due(const Session&) noexcept { return false; }
  /// On the writer between two operations, when those before have heard of their end. The gate is null when nobody
  /// else reads. True when `work_beside` is wanted. Throws Error when there can be no next operation.
  virtual bool before_next(Session&, ReaderGate*) { return false; }
  /// What needs no writer, while that goes on. Not once `before_close` was called.
  virtual void work_beside() noexcept {}
  /// Once a second: true when nothing was written for a while and `on_idle` has something to do.
  virtual bool note_idle() noexcept { return false; }
  virtual void on_idle(Session&) noexcept {}
  /// Keeps the statistics of the query planner up to date, for at most this time. Best effort.
  virtual void optimize(Session&, TimeLimit) noexcept {}
  /// Before the writer is closed for good, when all readers are. Best effort.
  virtual void before_close(Session&) noexcept {}
  /// The same while readers are open, of which the last sees to what is left. Nothing works beside, nor will before
  /// there is a writer again.
  virtual void before_close_alone() noexcept {}
  /// All connections are closed: the database is somebody else's to open. Says what could not be finished, and where it
  /// is; nothing when all is well.
  virtual std::string release() noexcept { return {}; }
  /// Why this is not the database that was opened any more, its log included; nothing when all is well.
  virtual std::optional<Loss> loss() const = 0;
  virtual EngineFacts facts() const = 0;
  /// Of a cluster: nobody was found to lead it when last looked for, and not before `since`.
  virtual bool missed_leader_since(Clock::time_point) const { return false; }
  /// Of a log that another process checkpoints: it was found too long when last written, and not before `since`.
  virtual bool log_unattended_since(Clock::time_point) const { return false; }
};

}  // namespace statehouse::detail
