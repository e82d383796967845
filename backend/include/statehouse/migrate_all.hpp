#pragma once

#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace statehouse {

/// How it went for one database of `DbInstances::migrate_all`.
struct MigratedDatabase {
  std::string name;                     ///< Logical name.
  std::vector<std::int64_t> versions;   ///< Applied, in that order.
  bool was_open = false;                ///< It had been opened, and migrated, by `get_pool`: `versions` are of then.
  std::chrono::nanoseconds elapsed{0};  ///< Opening and closing included; zero for one that was open.
  std::string failure;                  ///< Why it is not up to date; empty when it is.
  boost::system::error_code code;       ///< Of that; none where a callback has thrown something of its own.
};

/// How `DbInstances::migrate_all` went.
struct MigrateAllReport {
  std::vector<MigratedDatabase> databases{};  ///< By name.
  std::size_t not_begun = 0;                  ///< Those that a cancellation or the shutdown has left as they were.
  /// True when every database is up to date.
  bool clean() const noexcept;
};

/// How `DbInstances::migrate_all` works.
struct MigrateAllOptions {
  std::size_t concurrency = 4;  ///< Most databases at once; 0 is 1. More than there are database threads do not help.
  /// Told of each database when it is done, with how many are and of how many, by one thread at a time, not the
  /// caller's. If it throws no other database is begun, and `migrate_all` throws that exception.
  std::function<void(const MigratedDatabase& database, std::size_t done, std::size_t total)> progress{};
};

}  // namespace statehouse
#pragma GCC visibility pop
