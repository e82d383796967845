#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/options.hpp"

namespace statehouse {

/// Who has a connection, and since when.
struct Holder {
  connection_role role;                   ///< Which kind of connection it is.
  std::string verb;                       ///< The pool verb, "begin" for instance.
  std::string where;                      ///< `file:line` of the call.
  std::chrono::milliseconds held_for{0};  ///< Since it was given out.
  bool running = false;                   ///< A closure or statement runs right now.
};

/// Counters of one lane since the pool was opened, and its state at this moment.
struct LaneStats {
  std::size_t connections = 0;            ///< That the lane has.
  std::size_t in_use = 0;                 ///< Of them, running something or held by a caller.
  std::size_t waiting = 0;                ///< Operations that have not begun.
  std::uint64_t completed = 0;            ///< Operations that ran, failed ones included.
  std::uint64_t failed = 0;               ///< Of them, with an error.
  std::uint64_t batches = 0;              ///< What ran together, in one transaction, counts once.
  std::uint64_t compiled = 0;             ///< Statements that were not found prepared.
  std::uint64_t acquire_timeouts = 0;     ///< Operations that never got a connection in time.
  std::uint64_t cancelled = 0;            ///< While queued.
  std::uint64_t rejected = 0;             ///< Because the queue was full.
  std::uint64_t rolled_back = 0;          ///< Connections that came back with an open transaction.
  std::uint64_t replaced = 0;             ///< Connections that had to be opened anew.
  std::chrono::nanoseconds wait_time{0};  ///< Sum over completed operations.
  std::chrono::nanoseconds run_time{0};   ///< Sum over completed operations.
};

/// Of a database that was asked for: `failed` is one that could not be opened, which the next `get_pool` tries again,
/// or whose file was replaced, which stays so.
enum class database_state { opening, ready, failed, closed };

/// The name of a state, for logs and replies: "opening".
constexpr std::string_view to_string(database_state state) noexcept {
  switch (state) {
    case database_state::opening: return "opening";
    case database_state::ready: return "ready";
    case database_state::failed: return "failed";
    case database_state::closed: return "closed";
  }
  return "unknown";
}

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
  bool vulnerable_sqlite = false;  ///< See has_wal_reset_bug.
};

}  // namespace statehouse
