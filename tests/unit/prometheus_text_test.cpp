#include <catch2/catch_test_macros.hpp>
#include <string>

#include "statehouse/metrics.hpp"
#include "statehouse/operation_verb.hpp"
#include "statehouse/sqlite_version.hpp"

namespace {

using namespace statehouse;
using namespace std::chrono_literals;

struct Scrape {
  explicit Scrape(const std::vector<DatabaseStats>& databases) : text(prometheus_text(databases)) {}
  bool has(const std::string& line) const { return text.find('\n' + line + '\n') != std::string::npos; }

  const std::string text;
};

DatabaseStats busy() {
  DatabaseStats stats;
  stats.name = "context";
  stats.state = database_state::ready;
  stats.writer.connections = 1;
  stats.writer.in_use = 1;
  stats.writer.waiting = 7;
  stats.writer.completed = 12;
  stats.writer.failed = 2;
  stats.readers.connections = 4;
  stats.readers.max_connections = 8;
  stats.readers.compiled = 18'446'744'073'709'551'615U;
  stats.holders = {{connection_role::writer, "begin", "/home/somebody/jobs.cpp:20", 5012ms, false},
                   {connection_role::writer, "write", "jobs.cpp:21", 12ms, true}};
  stats.wal_bytes = 49472;
  stats.file_bytes = 8192;
  stats.schema_version = 20251201090000;
  stats.opening_time = 1500ms;
  stats.migrations_applied = 3;
  stats.migration_time = 1250ms;
  CheckpointStats& truncating = stats.checkpoints[static_cast<std::size_t>(checkpoint_way::truncate)];
  truncating.outcomes[static_cast<std::size_t>(checkpoint_outcome::busy)] = 2;
  truncating.times.add(3ms);
  truncating.times.add(4ms);
  return stats;
}

TEST_CASE("metrics: each number of a database is a sample with its labels") {
  const Scrape scrape({busy()});
  for (const std::string line :
       {R"(statehouse_database_state{database="context",state="ready"} 1)",
        R"(statehouse_database_state{database="context",state="failed"} 0)",
        R"(statehouse_database_size_bytes{database="context"} 8192)",
        R"(statehouse_wal_size_bytes{database="context"} 49472)",
        R"(statehouse_schema_version{database="context"} 20251201090000)",
        R"(statehouse_open_seconds{database="context"} 1.5)",
        R"(statehouse_migrations_applied_total{database="context"} 3)",
        R"(statehouse_migration_seconds{database="context"} 1.25)",
        R"(statehouse_checkpoints_total{database="context",mode="truncate",outcome="busy"} 2)",
        R"(statehouse_checkpoints_total{database="context",mode="beside",outcome="complete"} 0)",
        R"(statehouse_checkpoint_seconds_bucket{database="context",mode="truncate",le="0.005"} 2)",
        R"(statehouse_checkpoint_seconds_count{database="context",mode="truncate"} 2)",
        R"(statehouse_connections{database="context",lane="writer",state="used"} 1)",
        R"(statehouse_connections{database="context",lane="writer",state="idle"} 0)",
        R"(statehouse_connections{database="context",lane="readers",state="idle"} 4)",
        R"(statehouse_max_connections{database="context",lane="readers"} 8)",
        R"(statehouse_pending_operations{database="context",lane="writer"} 7)",
        R"(statehouse_oldest_lease_seconds{database="context",lane="writer"} 5.012)",
        R"(statehouse_oldest_lease_seconds{database="context",lane="readers"} 0)",
        R"(statehouse_operations_total{database="context",lane="writer",outcome="ok"} 10)",
        R"(statehouse_operations_total{database="context",lane="writer",outcome="error"} 2)",
        R"(statehouse_statements_compiled_total{database="context",lane="readers"} 18446744073709551615)"}) {
    CAPTURE(line, scrape.text);
    CHECK(scrape.has(line));
  }
}

TEST_CASE("metrics: times are histograms whose buckets contain the shorter ones, of each verb that was called") {
  DatabaseStats stats = busy();
  for (const auto took : {5us, 10us, 70us, 20'000'000us}) stats.writer.waits.add(took);
  stats.readers.runs[static_cast<std::size_t>(operation_verb::query_one)].add(250ms);
  const Scrape scrape({stats});
  CHECK(scrape.has("# TYPE statehouse_operation_wait_seconds histogram"));
  const std::string wait = R"(statehouse_operation_wait_seconds_bucket{database="context",lane="writer",le=")";
  const std::vector<std::pair<std::string, int>> waits = {
      {"1e-05", 2}, {"5e-05", 2}, {"1e-04", 3}, {"5e-04", 3}, {"0.001", 3}, {"0.005", 3}, {"0.01", 3},
      {"0.05", 3},  {"0.1", 3},   {"0.5", 3},   {"1", 3},     {"5", 3},     {"10", 3},    {"+Inf", 4}};
  for (const auto& [limit, count] : waits) {
    CAPTURE(limit, scrape.text);
    CHECK(scrape.has(wait + limit + "\"} " + std::to_string(count)));
  }
  CHECK(scrape.has(R"(statehouse_operation_wait_seconds_sum{database="context",lane="writer"} 20.000085)"));
  CHECK(scrape.has(R"(statehouse_operation_wait_seconds_count{database="context",lane="writer"} 4)"));
  const std::string run = R"({database="context",lane="readers",verb="query_one")";
  CHECK(scrape.has("statehouse_operation_run_seconds_bucket" + run + R"(,le="0.1"} 0)"));
  CHECK(scrape.has("statehouse_operation_run_seconds_bucket" + run + R"(,le="0.5"} 1)"));
  CHECK(scrape.has("statehouse_operation_run_seconds_sum" + run + "} 0.25"));
  CHECK(scrape.text.find("verb=\"execute\"") == std::string::npos);
}

TEST_CASE("metrics: an error of both lanes is one number, and those that alerts look at are there before they happen") {
  DatabaseStats stats = busy();
  stats.writer.errors = {{"SQLITE_FULL", 2}, {"acquire_timeout", 1}};
  stats.readers.errors = {{"acquire_timeout", 3}};
  const Scrape scrape({stats});
  CHECK(scrape.has(R"(statehouse_errors_total{database="context",code="SQLITE_FULL"} 2)"));
  CHECK(scrape.has(R"(statehouse_errors_total{database="context",code="acquire_timeout"} 4)"));
  CHECK(Scrape({busy()}).has(R"(statehouse_errors_total{database="context",code="SQLITE_FULL"} 0)"));
  CHECK(Scrape({busy()}).text.find("SQLITE_CONSTRAINT") == std::string::npos);
}

TEST_CASE("metrics: what the program is made of is there without a database, and ends with a line feed") {
  const Scrape scrape({});
  CHECK(scrape.has("# TYPE statehouse_build_info gauge"));
  CHECK(scrape.text.find("sqlite_version=\"" + sqlite_version().text + '"') != std::string::npos);
  CHECK(scrape.text.ends_with('\n'));
}

TEST_CASE("metrics: a database that was never migrated has no schema version, and none has a path") {
  DatabaseStats other = busy();
  other.name = "other";
  other.schema_version.reset();
  other.last_error = "the file '/srv/other.db' was moved";
  const Scrape scrape({busy(), other});
  CHECK(scrape.text.find(R"(schema_version{database="other")") == std::string::npos);
  CHECK(scrape.has(R"(statehouse_wal_size_bytes{database="other"} 49472)"));
  CHECK(scrape.text.find('/') == std::string::npos);
}

TEST_CASE("metrics: quotes, backslashes and line feeds in a label are escaped") {
  DatabaseStats odd;
  odd.name = "a\"b\\c\nd";
  CHECK(Scrape({odd}).has(R"(statehouse_wal_size_bytes{database="a\"b\\c\nd"} 0)"));
}

}  // namespace
