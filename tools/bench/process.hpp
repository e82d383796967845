#pragma once

#include <cstdint>

namespace statehouse::bench {

/// CPU time of all threads of this process so far, user and system, in seconds.
double cpu_seconds() noexcept;
/// Memory of this process that is in RAM now; 0 when the system does not say.
std::int64_t resident_kb();

}  // namespace statehouse::bench
