#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measurement.hpp"

namespace statehouse::bench {

/// Named numbers of one measurement; the name ends in the unit: `ops_s`, `p99_us`, `open_ms`, `idle_kb`.
using Values = std::map<std::string, double>;

/// A quotient of two measured numbers, taken round by round so that what disturbs a round disturbs both.
struct Quotient {
  std::string over_what, over_system, over_metric;
  std::string under_what, under_system, under_metric;
};

/// Everything that was measured: what ("read/normal/64"), with which system, round by round.
class Results {
 public:
  struct Series {
    std::string what;
    std::string system;
    std::vector<Values> rounds;
  };

  /// Why there is no number.
  struct Gap {
    std::string what;
    std::string system;
    std::string why;
    bool failed = false;  ///< It was tried.
  };

  void add(const std::string& what, const std::string& system, Values values);
  /// From now on there is none.
  void leave_out(Gap gap);
  const std::vector<Gap>& gaps() const noexcept { return gaps_; }
  bool left_out(std::string_view what, std::string_view system) const;
  /// In the order in which they came first.
  const std::vector<Series>& series() const noexcept { return series_; }

  /// Medians over the rounds; nothing when it was not measured.
  std::optional<double> median(std::string_view what, std::string_view system, const std::string& metric,
                               double scale = 1) const;
  std::optional<double> median(const Quotient& quotient) const;
  /// The sum over all rounds.
  std::optional<double> sum(std::string_view what, std::string_view system, const std::string& metric) const;

 private:
  const Series* find(std::string_view what, std::string_view system) const;

  std::vector<Series> series_;
  std::vector<Gap> gaps_;
};

std::optional<double> median_of(std::vector<double> values);

/// A run under load as named numbers; `resident` is what the system added to the process's memory.
Values values_of(const Measurement& measurement, std::int64_t resident_kb);

/// From a process to another.
std::string to_text(const Values& values);
Values from_text(const std::string& text);

}  // namespace statehouse::bench
