#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "peer.hpp"
#include "results.hpp"
#include "system.hpp"

namespace statehouse::bench {

struct Settings {
  bool brief = false;  ///< Only what the targets need.
  int rounds = 5;
  std::chrono::milliseconds duration{400};  ///< Of one measurement under load, after a quarter of it as warm-up.
  std::filesystem::path directory;          ///< On the disk that is to be measured.
  std::uint64_t seed = 1;
  std::vector<Peer> peers{};
};

/// What the scenarios share.
struct Bench {
  const Settings& settings;
  const std::vector<Key>& keys;
  const std::filesystem::path& database;  ///< 100,000 rows, and for peers their keys beside it.
  Results& results;
};

struct Scenario {
  const char* name;
  const char* description;
  void (*run)(const Bench&, int round);  ///< One round.
};

/// What is asked for in one round, by time.
Load load_of(const Bench& bench, workload kind, int in_flight, int round);

/// In the order in which they run within a round.
const std::vector<Scenario>& scenarios();

void run_load(const Bench& bench, int round);
void run_fairness(const Bench& bench, int round);
void run_interference(const Bench& bench, int round);
void run_lane(const Bench& bench, int round);
void run_hot_path(const Bench& bench, int round);
void run_tenants(const Bench& bench, int round);
void run_crowd(const Bench& bench, int round);
void run_opening(const Bench& bench, int round);
void run_migrations(const Bench& bench, int round);
void run_large_result(const Bench& bench, int round);
void run_many_rows(const Bench& bench, int round);
void run_types(const Bench& bench, int round);
void run_shutdown(const Bench& bench, int round);
void run_many_databases(const Bench& bench, int round);

/// A directory for one measurement, removed with what it holds.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::filesystem::path& parent);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

inline double milliseconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace statehouse::bench
