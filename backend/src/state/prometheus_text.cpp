#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "statehouse/metrics.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class Exposition {
 public:
  /// All samples of a family follow it, as the format wants.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  template <class Number>
  void sample(Labels labels, Number number) {
    text_ += name_;
    char separator = '{';
    for (const auto& [name, value] : labels) {
      text_ += std::exchange(separator, ',');
      text_.append(name).append("=\"");
      for (const char c : value) {
        if (c == '\\' || c == '"' || c == '\n') text_ += '\\';
        text_ += c == '\n' ? 'n' : c;
      }
      text_ += '"';
    }
    std::array<char, 32> digits{};
    char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    text_.append("} ").append(digits.data(), end).append("\n");
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string_view name_;
};

template <class Each>
void each_lane(const std::vector<DatabaseStats>& databases, Each each) {
  for (const DatabaseStats& database : databases) {
    each(database, "writer", database.writer);
    each(database, "readers", database.readers);
  }
}

struct LaneMetric {
  const char* name;
  const char* help;
  std::uint64_t LaneStats::*value;
};
constexpr LaneMetric lane_counters[] = {
    {"statehouse_batches_total", "What ran together, in one transaction, counts once.", &LaneStats::batches},
    {"statehouse_statements_compiled_total", "Statements that were not found prepared.", &LaneStats::compiled},
    {"statehouse_acquire_timeouts_total", "Operations that never got a connection.", &LaneStats::acquire_timeouts},
    {"statehouse_operations_cancelled_total", "Operations cancelled while they waited.", &LaneStats::cancelled},
    {"statehouse_operations_rejected_total", "Operations that found the queue full.", &LaneStats::rejected},
    {"statehouse_rollbacks_total", "Connections that came back with an open transaction.", &LaneStats::rolled_back},
    {"statehouse_connections_replaced_total", "Connections that were opened anew.", &LaneStats::replaced},
};

double oldest_lease(const DatabaseStats& database, std::string_view lane) {
  const auto role = lane == "writer" ? connection_role::writer : connection_role::reader;
  const auto oldest = std::ranges::find(database.holders, role, &Holder::role);  // the longest come first
  return oldest == database.holders.end() ? 0 : std::chrono::duration<double>(oldest->held_for).count();
}

void add_databases(Exposition& out, const std::vector<DatabaseStats>& databases) {
  out.family("statehouse_database_state", "gauge", "1 for the state that the database is in.");
  for (const DatabaseStats& database : databases)
    for (const auto state :
         {database_state::opening, database_state::ready, database_state::failed, database_state::closed})
      out.sample({{"database", database.name}, {"state", to_string(state)}}, int{database.state == state});
  out.family("statehouse_database_size_bytes", "gauge", "Size of the file; 0 where there is none.");
  for (const DatabaseStats& database : databases) out.sample({{"database", database.name}}, database.file_bytes);
  out.family("statehouse_wal_size_bytes", "gauge", "Size of the write-ahead log.");
  for (const DatabaseStats& database : databases) out.sample({{"database", database.name}}, database.wal_bytes);
  out.family("statehouse_schema_version", "gauge", "Highest migration that is applied; none: no sample.");
  for (const DatabaseStats& database : databases)
    if (database.schema_version) out.sample({{"database", database.name}}, *database.schema_version);
}

void add_lanes(Exposition& out, const std::vector<DatabaseStats>& databases) {
  out.family("statehouse_connections", "gauge", "Connections, running something or held by a caller, or not.");
  each_lane(databases, [&](const DatabaseStats& database, std::string_view lane, const LaneStats& stats) {
    const auto idle = stats.connections - stats.in_use;
    out.sample({{"database", database.name}, {"lane", lane}, {"state", "idle"}}, idle);
    out.sample({{"database", database.name}, {"lane", lane}, {"state", "used"}}, stats.in_use);
  });
  out.family("statehouse_pending_operations", "gauge", "Operations that wait for a connection.");
  each_lane(databases, [&](const DatabaseStats& database, std::string_view lane, const LaneStats& stats) {
    out.sample({{"database", database.name}, {"lane", lane}}, stats.waiting);
  });
  out.family("statehouse_oldest_lease_seconds", "gauge", "How long a connection is in use that was longest; 0: none.");
  each_lane(databases, [&](const DatabaseStats& database, std::string_view lane, const LaneStats&) {
    out.sample({{"database", database.name}, {"lane", lane}}, oldest_lease(database, lane));
  });
  out.family("statehouse_operations_total", "counter", "Operations that ran.");
  each_lane(databases, [&](const DatabaseStats& database, std::string_view lane, const LaneStats& stats) {
    const auto ok = stats.completed - stats.failed;
    out.sample({{"database", database.name}, {"lane", lane}, {"outcome", "ok"}}, ok);
    out.sample({{"database", database.name}, {"lane", lane}, {"outcome", "error"}}, stats.failed);
  });
  for (const LaneMetric& counter : lane_counters) {
    out.family(counter.name, "counter", counter.help);
    each_lane(databases, [&](const DatabaseStats& database, std::string_view lane, const LaneStats& stats) {
      out.sample({{"database", database.name}, {"lane", lane}}, stats.*counter.value);
    });
  }
}

}  // namespace

std::string prometheus_text(const std::vector<DatabaseStats>& databases) {
  Exposition out;
  const SqliteVersion sqlite = sqlite_version();
  const std::string_view bug = sqlite.wal_reset_bug ? "true" : "false";
  out.family("statehouse_build_info", "gauge", "1; what the program is made of.");
  out.sample({{"version", STATEHOUSE_VERSION}, {"sqlite_version", sqlite.text}, {"wal_reset_bug", bug}}, 1);
  add_databases(out, databases);
  add_lanes(out, databases);
  return out.take();
}

}  // namespace statehouse
