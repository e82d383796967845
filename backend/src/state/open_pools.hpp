#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lane/brief_mutex.hpp"

namespace statehouse::detail {

class PoolCore;

/// The pools that are awake, by name, for the path of every request: found without a mutex or a counter that all
/// threads write to.
///
/// Threads share a few tables, each a table of its own where they are not more than tables. What one has looked for and
/// not found is added to its table alone, with a reference count of its own: counts that two cores change in turn cost
/// more than all the rest of a look-up. A database that sleeps is in none, so it takes no room here.
///
/// Thread-safety: all functions, from any thread.
class OpenPools {
 public:
  OpenPools() = default;
  OpenPools(const OpenPools&) = delete;
  OpenPools& operator=(const OpenPools&) = delete;

  /// Null when there is none in this thread's table.
  std::shared_ptr<PoolCore> find(std::string_view name) const noexcept;

  /// To this thread's table. Whoever withdraws it must not be able to come between the look at what it is and this.
  void add(std::string_view name, const std::shared_ptr<PoolCore>& pool);
  /// From all tables.
  void withdraw(std::string_view name) noexcept;
  /// Withdraws all, and what is added from now on is not found.
  void close() noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>()(name); }
  };
  using Pools = std::unordered_map<std::string, std::shared_ptr<PoolCore>, Hash, std::equal_to<>>;
  struct alignas(64) Table {
    mutable BriefMutex mutex;
    Pools pools;
    bool closed = false;
  };

  Table& mine() const noexcept;

  mutable std::array<Table, 16> tables_;
};

}  // namespace statehouse::detail
