#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/stats.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// Why a database does not serve now, or not all that it is asked.
enum class health_reason {
  none,           ///< All is well.
  not_opened,     ///< Nobody has called `get_pool` for it yet.
  opening,        ///< It is being opened.
  migrating,      ///< A migration runs: see `DatabaseHealth::migration`.
  failed,         ///< It could not be opened; the next `get_pool` tries again.
  file_replaced,  ///< Its file was moved, deleted or replaced while open: only a restart helps.
  sync_failed,    ///< The disk has perhaps not taken all of its file, which its log still has: only a restart helps.
  disk_full,      ///< What was written found no space, less than ten seconds ago.
  queue_full,     ///< As many operations wait as may, so that others are refused.
  no_leader,      ///< The cluster was found without a leader less than ten seconds ago, and with one not since.
  /// The last write, less than ten seconds ago, found a log over `wal_soft_limit` that another process was to move into
  /// the database: see checkpoint_mode. All is served.
  log_unattended,
  shutting_down  ///< Shutdown has begun.
};

/// The name of a reason, for replies: "queue_full".
constexpr std::string_view to_string(health_reason reason) noexcept {
  switch (reason) {
    case health_reason::none: return "none";
    case health_reason::not_opened: return "not_opened";
    case health_reason::opening: return "opening";
    case health_reason::migrating: return "migrating";
    case health_reason::failed: return "failed";
    case health_reason::file_replaced: return "file_replaced";
    case health_reason::sync_failed: return "sync_failed";
    case health_reason::disk_full: return "disk_full";
    case health_reason::queue_full: return "queue_full";
    case health_reason::no_leader: return "no_leader";
    case health_reason::log_unattended: return "log_unattended";
    case health_reason::shutting_down: return "shutting_down";
  }
  return "unknown";
}

/// One migration of a run.
struct RunningMigration {
  std::int64_t version = 0;  ///< Of its file.
  std::size_t index = 0;     ///< 1 to `total`.
  std::size_t total = 0;     ///< How many the run set out to do.
};

/// Of one database whose name was mentioned, by `add_migrator`, `configure` or `get_pool`.
struct DatabaseHealth {
  std::string name;                               ///< Logical name.
  database_state state = database_state::closed;  ///< At this moment; `closed` before it is first asked for.
  bool required = true;                           ///< See `PoolOptions::required`.
  health_reason reason = health_reason::none;     ///< Why it does not serve, or not all.
  std::optional<RunningMigration> migration;      ///< While the reason is `migrating`.
};

/// What those ask who decide whether a service gets requests, or is started anew: the probes of an orchestrator.
struct Health {
  bool initialised = false;               ///< `init()` is done.
  bool stopping = false;                  ///< Shutdown has begun.
  std::vector<DatabaseHealth> databases;  ///< By name; of more than 100 those that are not well.
  std::size_t well = 0;                   ///< So many more are, and are not listed.

  /// Nothing is wrong that only a restart would help against: a required database has lost neither its file
  /// nor a part of it.
  bool live() const noexcept;
  /// Initialised, and each required database has been opened and migrated.
  bool started() const noexcept;
  /// Requests can be served: initialised, not stopping, and all is well with each required database, but perhaps for
  /// `health_reason::log_unattended`.
  bool ready() const noexcept;
  /// Ready, but not all is well with one of the databases.
  bool degraded() const noexcept;
};

}  // namespace statehouse
#pragma GCC visibility pop
