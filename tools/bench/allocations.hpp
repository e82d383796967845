#pragma once

#include <cstdint>

namespace statehouse::bench {

/// Counts what `operator new` is called for by all threads of this program, while one of these lives. (SQLite has its
/// own memory from malloc, which is not counted.)
class AllocationCount {
 public:
  AllocationCount() noexcept;
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  std::uint64_t value() const noexcept;
};

}  // namespace statehouse::bench
