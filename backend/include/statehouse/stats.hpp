#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/operation_verb.hpp"
#include "statehouse/options.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// Who has a connection, and since when.
struct Holder {
  connection_role role;  ///< Which kind of connection it is.
  std::string verb;      ///< The pool verb, "begin" for instance; or what the pool itself is at, "backup".
  std::string where;     ///< `file:line` of the call; of what the pool is at, the file.
  std::chrono::milliseconds held_for{0};  ///< Since it was given out.
  bool running = false;                   ///< A closure or statement runs right now.
};

/// How many operations took how long.
struct DurationHistogram {
  /// The upper limits of the buckets but the last, which has none. Those that OpenTelemetry advises are among them.
  static constexpr std::array<std::chrono::nanoseconds, 13> limits = {
      std::chrono::microseconds(10),  std::chrono::microseconds(50), std::chrono::microseconds(100),
      std::chrono::microseconds(500), std::chrono::milliseconds(1),  std::chrono::milliseconds(5),
      std::chrono::milliseconds(10),  std::chrono::milliseconds(50), std::chrono::milliseconds(100),
      std::chrono::milliseconds(500), std::chrono::seconds(1),       std::chrono::seconds(5),
      std::chrono::seconds(10)};

  std::array<std::uint64_t, limits.size() + 1> counts{};  ///< Of each bucket by itself.
  std::chrono::nanoseconds sum{0};                        ///< Of all.

  /// Counts one.
  void add(std::chrono::nanoseconds took) noexcept {
    std::size_t bucket = 0;  // nearly all end in one of the first
    while (bucket < limits.size() && took > limits[bucket]) ++bucket;
    ++counts[bucket];
    sum += took;
  }
  /// Counts all of those as well.
  void add(const DurationHistogram& other) noexcept {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum += other.sum;
  }
  /// How many were counted.
  std::uint64_t count() const noexcept { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }
};

/// How often something failed with one code.
struct ErrorCount {
  std::string_view code;    ///< See `name_of`.
  std::uint64_t count = 0;  ///< So often.
};

/// Counters of one lane since the pool was opened, and its state at this moment.
struct LaneStats {
  std::size_t connections = 0;         ///< That are open.
  std::size_t max_connections = 0;     ///< That could be.
  std::size_t in_use = 0;              ///< Of them, running something or held by a caller.
  std::size_t waiting = 0;             ///< Operations that have not begun.
  std::uint64_t completed = 0;         ///< Operations that ran, failed ones included.
  std::uint64_t failed = 0;            ///< Of them, with an error.
  std::uint64_t batches = 0;           ///< What ran together, in one transaction, counts once.
  std::uint64_t compiled = 0;          ///< Statements that were not found prepared.
  std::uint64_t acquire_timeouts = 0;  ///< Operations that never got a connection in time.
  std::uint64_t cancelled = 0;         ///< While queued.
  std::uint64_t rejected = 0;          ///< Because the queue was full.
  std::uint64_t rolled_back = 0;       ///< Connections that came back with an open transaction.
  std::uint64_t replaced = 0;          ///< Connections that had to be opened anew.
  std::uint64_t slow = 0;              ///< Operations that ran for `slow_statement` or longer.
  DurationHistogram waits;             ///< Of completed operations, for a connection.
  /// Of completed operations, by `operation_verb`; to be given a lease takes no time and is not among them.
  std::array<DurationHistogram, operation_verbs> runs;
  std::vector<ErrorCount> errors;  ///< What failed, timed out, was cancelled or rejected: each code once.

  /// Sum over completed operations.
  std::chrono::nanoseconds wait_time() const noexcept { return waits.sum; }
  /// Sum over completed operations.
  std::chrono::nanoseconds run_time() const noexcept {
    std::chrono::nanoseconds sum{0};
    for (const DurationHistogram& one : runs) sum += one.sum;
    return sum;
  }
};

/// Of a database that was asked for: `asleep` is one that nobody uses, without a connection until somebody does;
/// `failed` is one that could not be opened, which the next `get_pool` tries again, or whose file was replaced, which
/// stays so.
enum class database_state { opening, ready, failed, closed, asleep };

/// The name of a state, for logs and replies: "opening".
constexpr std::string_view to_string(database_state state) noexcept {
  switch (state) {
    case database_state::opening: return "opening";
    case database_state::ready: return "ready";
    case database_state::failed: return "failed";
    case database_state::closed: return "closed";
    case database_state::asleep: return "asleep";
  }
  return "unknown";
}

/// The backups that a pool makes by itself.
struct BackupStats {
  /// When the latest one was begun, one of an earlier process also; none when there is none, or it was not looked
  /// for yet, which is done within a second after the opening, or behind a backup of another database.
  std::optional<std::chrono::system_clock::time_point> last;
  std::uint64_t last_bytes = 0;  ///< Its size.
  std::uint64_t failures = 0;    ///< Since the pool was opened.
  std::string last_error;        ///< Why the last attempt has failed; empty when it has not.
};

/// In which way the write-ahead log was moved into the database.
enum class checkpoint_way : unsigned char {
  beside,   ///< Beside the writer, which goes on.
  passive,  ///< By the writer, as far as others let it.
  truncate  ///< By the writer, which cuts the log to nothing.
};

/// The name of a way, a closed set, for metrics: "passive".
constexpr std::string_view to_string(checkpoint_way way) noexcept {
  switch (way) {
    case checkpoint_way::beside: return "beside";
    case checkpoint_way::passive: return "passive";
    case checkpoint_way::truncate: return "truncate";
  }
  return "unknown";
}

/// What has come of it.
enum class checkpoint_outcome : unsigned char {
  complete,  ///< All was moved, and cut if it was to be.
  partial,   ///< A reader needs the rest of the log.
  busy,      ///< Another connection or process was in the way of all of it, or of the cut.
  error      ///< It has failed; the log says why.
};

/// The name of an outcome, a closed set, for metrics: "complete".
constexpr std::string_view to_string(checkpoint_outcome outcome) noexcept {
  switch (outcome) {
    case checkpoint_outcome::complete: return "complete";
    case checkpoint_outcome::partial: return "partial";
    case checkpoint_outcome::busy: return "busy";
    case checkpoint_outcome::error: return "error";
  }
  return "unknown";
}

/// The checkpoints of one way.
struct CheckpointStats {
  std::array<std::uint64_t, 4> outcomes{};  ///< By `checkpoint_outcome`.
  DurationHistogram times;                  ///< Of all of them.
};

/// One database at a glance. Reading it does no I/O on the database: sizes come from the file system by path.
struct DatabaseStats {
  std::string name;                                ///< Logical name.
  database_state state = database_state::opening;  ///< At this moment.
  std::string last_error;                          ///< Of the opening, or why it failed later; empty when all is well.
  LaneStats writer;                                ///< Of the connection that writes.
  LaneStats readers;                               ///< All zero in `pool_mode::single`.
  std::vector<Holder> holders;                     ///< Connections in use, longest first.
  std::uint64_t wal_bytes = 0;                     ///< Size of the write-ahead log; 0 in memory.
  std::uint64_t file_bytes = 0;                    ///< Size of the file; 0 in memory.
  /// The highest migration that is applied to the database, known to this program or not, when it was opened.
  std::optional<std::int64_t> schema_version;
  std::chrono::nanoseconds opening_time{0};    ///< Of the opening that it is ready from, migrations included.
  std::size_t migrations_applied = 0;          ///< By that opening, and when a file that others have had was looked at.
  std::chrono::nanoseconds migration_time{0};  ///< Of the last look, waits for other processes included.
  bool vulnerable_sqlite = false;              ///< See has_wal_reset_bug.
  std::optional<BackupStats> backups;          ///< None where none are scheduled.
  /// Those of this pool, its migrations' too, by `checkpoint_way`; of other processes' nothing is known.
  std::array<CheckpointStats, 3> checkpoints;
};

/// Many databases at a glance: some by themselves, the rest summed up.
struct StatsSummary {
  std::vector<DatabaseStats> databases;  ///< By name.
  std::size_t others = 0;                ///< How many are summed up.
  /// Of those, how many are in each `database_state`.
  std::array<std::size_t, 5> other_states{};
  /// Their counters, of the lanes, the checkpoints, the migrations and the failures of backups, since the program
  /// began: sums that never fall. What is open and waits at this moment, and the sizes, are of those that are awake.
  DatabaseStats sum;
  std::size_t acquired_connections = 0;    ///< Of all databases: open, or about to be.
  std::size_t max_open_connections = 0;    ///< Of these at most so many, as AppStateOptions say.
  std::size_t waiting_for_connection = 0;  ///< Lanes and openings that wait for one of them.
};

}  // namespace statehouse
#pragma GCC visibility pop
