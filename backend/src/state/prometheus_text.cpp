#include <algorithm>
#include <map>

#include "state/exposition.hpp"
#include "statehouse/metrics.hpp"
#include "statehouse/sqlite_version.hpp"
#include "statehouse/version.hpp"

namespace statehouse {
namespace {

using Databases = std::vector<DatabaseStats>;
using States = std::array<std::size_t, 5>;

constexpr std::array all_states = {database_state::opening, database_state::ready, database_state::failed,
                                   database_state::closed, database_state::asleep};

struct LaneCounter {
  const char* name;
  const char* help;
  std::uint64_t LaneStats::*value;
};
constexpr LaneCounter lane_counters[] = {
    {"statehouse_batches_total", "What ran together, in one transaction, counts once.", &LaneStats::batches},
    {"statehouse_statements_compiled_total", "Statements that were not found prepared.", &LaneStats::compiled},
    {"statehouse_slow_statements_total", "Operations that ran for slow_statement or longer.", &LaneStats::slow},
    {"statehouse_acquire_timeouts_total", "Operations that never got a connection.", &LaneStats::acquire_timeouts},
    {"statehouse_operations_cancelled_total", "Operations cancelled while they waited.", &LaneStats::cancelled},
    {"statehouse_operations_rejected_total", "Operations that found the queue full.", &LaneStats::rejected},
    {"statehouse_rollbacks_total", "Connections that came back with an open transaction.", &LaneStats::rolled_back},
    {"statehouse_connections_replaced_total", "Connections that were opened anew.", &LaneStats::replaced},
};

/// `each(database, lane's name, lane)`
template <class Each>
void each_lane(const Databases& databases, Each each) {
  for (const DatabaseStats& database : databases) {
    each(database, "writer", database.writer);
    each(database, "readers", database.readers);
  }
}

double oldest_lease(const DatabaseStats& database, std::string_view lane) {
  const auto role = lane == "writer" ? connection_role::writer : connection_role::reader;
  const auto oldest = std::ranges::find(database.holders, role, &Holder::role);  // the longest come first
  return oldest == database.holders.end() ? 0 : detail::Exposition::seconds(oldest->held_for);
}

void add_states(detail::Exposition& out, const Databases& databases, const DatabaseStats* sum, const States& of_sum) {
  out.family("statehouse_database_state", "gauge", "1 for the state that the database is in; of _other how many are.");
  for (const auto& database : databases)
    for (const auto state : all_states) {
      const auto count = &database == sum ? of_sum[static_cast<std::size_t>(state)] : database.state == state;
      out.sample({{"database", database.name}, {"state", to_string(state)}}, std::size_t{count});
    }
}

void add_databases(detail::Exposition& out, const Databases& databases, const DatabaseStats* sum) {
  out.family("statehouse_database_size_bytes", "gauge", "Size of the file; 0 where there is none.");
  for (const auto& database : databases) out.sample({{"database", database.name}}, database.file_bytes);
  out.family("statehouse_wal_size_bytes", "gauge", "Size of the write-ahead log.");
  for (const auto& database : databases) out.sample({{"database", database.name}}, database.wal_bytes);
  out.family("statehouse_schema_version", "gauge", "Highest migration that is applied; none: no sample.");
  for (const auto& database : databases)
    if (database.schema_version) out.sample({{"database", database.name}}, *database.schema_version);
  out.family("statehouse_open_seconds", "gauge", "How long the opening took, migrations included.");
  for (const auto& database : databases)
    if (&database != sum) out.sample({{"database", database.name}}, detail::Exposition::seconds(database.opening_time));
  out.family("statehouse_migrations_applied_total", "counter", "Migrations that the opening has applied.");
  for (const auto& database : databases) out.sample({{"database", database.name}}, database.migrations_applied);
  out.family("statehouse_migration_seconds", "gauge", "How long those took, waits for other processes included.");
  for (const auto& database : databases)
    if (&database != sum)
      out.sample({{"database", database.name}}, detail::Exposition::seconds(database.migration_time));
}

/// A database that none are made of has no sample: it would be an alert.
void add_backups(detail::Exposition& out, const Databases& databases, const DatabaseStats* sum) {
  const auto each = [&](const auto& value, const DatabaseStats* without = nullptr) {
    for (const auto& database : databases)
      if (database.backups && &database != without) out.sample({{"database", database.name}}, value(*database.backups));
  };
  out.family("statehouse_last_backup_timestamp_seconds", "gauge",
             "When the latest backup was begun; 0: none is known.");
  each(
      [](const BackupStats& stats) {
        return stats.last ? detail::Exposition::seconds(stats.last->time_since_epoch()) : 0.0;
      },
      sum);
  out.family("statehouse_last_backup_size_bytes", "gauge", "Size of the latest backup.");
  each([](const BackupStats& stats) { return stats.last_bytes; }, sum);
  out.family("statehouse_backup_failures_total", "counter", "Backups that have failed.");
  each([](const BackupStats& stats) { return stats.failures; });
}

/// `each(database, way, stats)`
template <class Each>
void each_checkpoint(const Databases& databases, Each each) {
  for (const DatabaseStats& database : databases)
    for (std::size_t way = 0; way < database.checkpoints.size(); ++way)
      each(database, to_string(static_cast<checkpoint_way>(way)), database.checkpoints[way]);
}

void add_checkpoints(detail::Exposition& out, const Databases& databases) {
  out.family("statehouse_checkpoints_total", "counter", "Moves of the write-ahead log into the database.");
  each_checkpoint(databases, [&](const auto& database, std::string_view way, const CheckpointStats& stats) {
    for (std::size_t i = 0; i < stats.outcomes.size(); ++i)
      out.sample(
          {{"database", database.name}, {"mode", way}, {"outcome", to_string(static_cast<checkpoint_outcome>(i))}},
          stats.outcomes[i]);
  });
  out.family("statehouse_checkpoint_seconds", "histogram", "How long they took; those that there were none of: none.");
  each_checkpoint(databases, [&](const auto& database, std::string_view way, const CheckpointStats& stats) {
    if (stats.times.count() > 0) out.histogram({{"database", database.name}, {"mode", way}}, stats.times);
  });
}

void add_lanes(detail::Exposition& out, const Databases& databases) {
  out.family("statehouse_max_connections", "gauge", "Connections that could be open.");
  each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats& stats) {
    out.sample({{"database", database.name}, {"lane", lane}}, stats.max_connections);
  });
  out.family("statehouse_connections", "gauge", "Open connections, running something or held by a caller, or not.");
  each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats& stats) {
    const auto idle = stats.connections - stats.in_use;
    out.sample({{"database", database.name}, {"lane", lane}, {"state", "idle"}}, idle);
    out.sample({{"database", database.name}, {"lane", lane}, {"state", "used"}}, stats.in_use);
  });
  out.family("statehouse_pending_operations", "gauge", "Operations that wait for a connection.");
  each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats& stats) {
    out.sample({{"database", database.name}, {"lane", lane}}, stats.waiting);
  });
  out.family("statehouse_oldest_lease_seconds", "gauge", "How long a connection is in use that was longest; 0: none.");
  each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats&) {
    out.sample({{"database", database.name}, {"lane", lane}}, oldest_lease(database, lane));
  });
  out.family("statehouse_operations_total", "counter", "Operations that ran.");
  each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats& stats) {
    const auto ok = stats.completed - stats.failed;
    out.sample({{"database", database.name}, {"lane", lane}, {"outcome", "ok"}}, ok);
    out.sample({{"database", database.name}, {"lane", lane}, {"outcome", "error"}}, stats.failed);
  });
  for (const LaneCounter& counter : lane_counters) {
    out.family(counter.name, "counter", counter.help);
    each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats& stats) {
      out.sample({{"database", database.name}, {"lane", lane}}, stats.*counter.value);
    });
  }
}

/// What alerts look at has a sample from the start: a counter that begins above zero has not risen, to Prometheus.
std::map<std::string_view, std::uint64_t> watched_errors() {
  return {{"SQLITE_BUSY", 0},   {"SQLITE_CANTOPEN", 0}, {"SQLITE_CORRUPT", 0},  {"SQLITE_FULL", 0}, {"SQLITE_IOERR", 0},
          {"SQLITE_NOTADB", 0}, {"SQLITE_READONLY", 0}, {"acquire_timeout", 0}, {"queue_full", 0},  {"unavailable", 0}};
}

void add_errors(detail::Exposition& out, const Databases& databases) {
  out.family("statehouse_errors_total", "counter", "What failed, timed out, was cancelled or rejected.");
  for (const auto& database : databases) {
    std::map<std::string_view, std::uint64_t> counts = watched_errors();
    for (const auto* const lane : {&database.writer, &database.readers})
      for (const ErrorCount& error : lane->errors) counts[error.code] += error.count;
    for (const auto& [code, count] : counts) out.sample({{"database", database.name}, {"code", code}}, count);
  }
}

void add_times(detail::Exposition& out, const Databases& databases) {
  out.family("statehouse_operation_wait_seconds", "histogram", "How long operations waited for a connection.");
  each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats& stats) {
    out.histogram({{"database", database.name}, {"lane", lane}}, stats.waits);
  });
  out.family("statehouse_operation_run_seconds", "histogram", "How long operations ran; those that never did: none.");
  each_lane(databases, [&](const auto& database, std::string_view lane, const LaneStats& stats) {
    for (std::size_t i = 0; i < stats.runs.size(); ++i) {
      if (stats.runs[i].count() == 0) continue;
      const std::string_view verb = to_string(static_cast<operation_verb>(i));
      out.histogram({{"database", database.name}, {"lane", lane}, {"verb", verb}}, stats.runs[i]);
    }
  });
}

void add_budget(detail::Exposition& out, const StatsSummary& summary) {
  out.family("statehouse_connections_limit", "gauge", "Connections that all databases together may have.");
  out.sample({}, summary.max_open_connections);
  out.family("statehouse_connections_acquired", "gauge", "Of these, those that are open or about to be.");
  out.sample({}, summary.acquired_connections);
  out.family("statehouse_connection_waiters", "gauge", "Lanes and openings that wait for one of these.");
  out.sample({}, summary.waiting_for_connection);
}

/// `sum`: that of many, among them; null when there is none.
std::string text_of(const Databases& databases, const DatabaseStats* sum, const StatsSummary* summary) {
  detail::Exposition out;
  const SqliteVersion sqlite = sqlite_version();
  const std::string_view bug = sqlite.wal_reset_bug ? "true" : "false";
  out.family("statehouse_build_info", "gauge", "1; what the program is made of.");
  out.sample({{"version", STATEHOUSE_VERSION}, {"sqlite_version", sqlite.text}, {"wal_reset_bug", bug}}, 1);
  add_states(out, databases, sum, summary != nullptr ? summary->other_states : States());
  if (summary != nullptr) add_budget(out, *summary);
  add_databases(out, databases, sum);
  add_backups(out, databases, sum);
  add_checkpoints(out, databases);
  add_lanes(out, databases);
  add_errors(out, databases);
  add_times(out, databases);
  return out.take();
}

}  // namespace

std::string prometheus_text(const Databases& databases) {
  return text_of(databases, nullptr, nullptr);
}

std::string prometheus_text(const StatsSummary& summary) {
  if (summary.others == 0) return text_of(summary.databases, nullptr, &summary);
  Databases all = summary.databases;
  all.push_back(summary.sum);
  return text_of(all, &all.back(), &summary);
}

}  // namespace statehouse
