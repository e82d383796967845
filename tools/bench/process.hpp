#pragma once

#include <cstdint>

namespace statehouse::bench {

/// What all threads of this process have used so far, or between two moments.
struct Usage {
  double cpu_seconds = 0;                 ///< User and system.
  std::int64_t voluntary_switches = 0;    ///< A thread had nothing to do, or waited: it left its core.
  std::int64_t involuntary_switches = 0;  ///< Another thread was given the core.

  Usage operator-(const Usage& before) const noexcept;
};

Usage used_so_far() noexcept;
/// Memory of this process that is in RAM now; 0 when the system does not say.
std::int64_t resident_kb();
/// To what the system allows: every connection is two descriptors or three.
void raise_descriptor_limit();

}  // namespace statehouse::bench
