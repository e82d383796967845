#include "open_files.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace statehouse::server {

void raise_limit_of_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (before == limit.rlim_max || ::setrlimit(RLIMIT_NOFILE, &limit) == 0) {
    spdlog::info("open files: limit={} before={}", limit.rlim_max, before);
  } else {
    spdlog::warn("open files: limit={}, and {} cannot be set: {}", before, limit.rlim_max,
                 std::generic_category().message(errno));
  }
}

}  // namespace statehouse::server
