#include "scenario.hpp"

#include <stdlib.h>

#include <stdexcept>

namespace statehouse::bench {

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"databases", "1 to 1,000 open databases: time and memory", run_many_databases},  // forks: before any thread
      {"tenants", "databases that exist: open, read, close; 1,000 of them; memory", run_tenants},  // the same
      {"crowd", "10,000 databases under ulimit -n 1024, 64 in flight", run_crowd},
      {"load", "throughput and latency beside other systems", run_load},
      {"fairness", "64 writers, what each of them gets", run_fairness},
      {"interference", "reads beside writers", run_interference},
      {"lane", "the lane alone, without an engine", run_lane},
      {"hot_path", "get_pool, and allocations per call", run_hot_path},
      {"opening", "a new database: open and migrate", run_opening},
      {"migrations", "1,000 migrations, fresh and again", run_migrations},
      {"large_result", "10,000 rows", run_large_result},
      {"many_rows", "100,000 rows in, and out", run_many_rows},
      {"types", "10,000 rows with a uuid and a day, and 1,000 of them by a list", run_types},
      {"shutdown", "closing 8 databases", run_shutdown},
  };
  return all;
}

Load load_of(const Bench& bench, workload kind, int in_flight, int round) {
  return {.keys = bench.keys,
          .kind = kind,
          .in_flight = in_flight,
          .warm_up = bench.settings.duration / 4,
          .duration = bench.settings.duration,
          .seed = bench.settings.seed + static_cast<std::uint64_t>(round)};
}

ScratchDirectory::ScratchDirectory(const std::filesystem::path& parent) {
  std::string pattern = parent / "statehouse-bench-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("cannot make a directory in " + parent.string() + ": give another with --dir");
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace statehouse::bench
