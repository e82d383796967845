#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "histogram.hpp"
#include "process.hpp"
#include "workload.hpp"

namespace statehouse::bench {

/// What to run, and until when: for a time after a warm-up, or a number of operations without one.
struct Load {
  const std::vector<Key>& keys;
  workload kind = workload::read;
  int in_flight = 1;
  std::uint64_t operations = 0;  ///< 0: by time.
  std::chrono::milliseconds warm_up{0};
  std::chrono::milliseconds duration{0};
  std::uint64_t seed = 1;
};

/// What one thread saw.
struct Tally {
  Histogram reads;
  Histogram writes;
  std::uint64_t completed = 0;  ///< Within the window.
  std::uint64_t errors = 0;
  std::string first_error{};

  void add(const Tally& other);
  void fail(const char* what);
};

struct Measurement {
  Tally tally;
  double seconds = 0;                       ///< Of the window.
  Usage used{};                             ///< Within the window.
  std::vector<std::uint64_t> per_worker{};  ///< Operations completed within the window.
};

}  // namespace statehouse::bench
