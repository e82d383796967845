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
  bool is_ratio = true;             ///< Not a time: independent of the machine, so that a check may insist on it.

  bool met() const noexcept { return reached && (at_least ? *reached >= target : *reached <= target); }
  /// Whether it is so far off that noise on a small busy machine is no excuse: beyond half, or twice, the target.
  bool broken() const noexcept {
    return is_ratio && reached && (at_least ? *reached < target / 2 : *reached > target * 2);
  }
};

std::vector<Goal> evaluate(const Results& results);

}  // namespace statehouse::bench
