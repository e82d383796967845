#include "system.hpp"

#include <algorithm>
#include <thread>

namespace statehouse::bench {

unsigned pool_size() {
  return std::max(4U, std::thread::hardware_concurrency());
}

std::vector<SystemKind> pooled_systems() {
  return {
      {statehouse_name, open_statehouse},
      {hand_written_name, open_hand_written_pool},
#ifdef STATEHOUSE_BENCH_POCO
      {"POCO", open_poco},
#endif
#ifdef STATEHOUSE_BENCH_SOCI
      {"SOCI", open_soci},
#endif
  };
}

}  // namespace statehouse::bench
