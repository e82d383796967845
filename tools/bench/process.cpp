#include "process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace statehouse::bench {

Usage Usage::operator-(const Usage& before) const noexcept {
  return {cpu_seconds - before.cpu_seconds, voluntary_switches - before.voluntary_switches,
          involuntary_switches - before.involuntary_switches};
}

Usage used_so_far() noexcept {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_nvcsw, used.ru_nivcsw};
}

std::int64_t resident_kb() {
  std::ifstream in("/proc/self/statm");
  std::int64_t pages = 0;
  std::int64_t resident = 0;
  in >> pages >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace statehouse::bench
