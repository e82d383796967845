#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results.hpp"

namespace statehouse::bench {

/// What a run is held against.
struct Goal {
  std::string what;
  std::string measure;
  bool at_least = true;
  double target = 0;
  std::optional<double> reached{};  ///< Nothing when it was not measured.
  std::optional<double> bound{};    ///< Beyond it a check fails; nothing for times, which depend on the machine.

  bool met() const noexcept { return reached && (at_least ? *reached >= target : *reached <= target); }
  bool broken() const noexcept { return bound && reached && (at_least ? *reached < *bound : *reached > *bound); }
  /// Noise explains none.
  bool counts_faults() const noexcept { return !at_least && target == 0; }
  bool same_as(const Goal& other) const noexcept { return what == other.what && measure == other.measure; }
};

std::vector<Goal> evaluate(const Results& results);

}  // namespace statehouse::bench
