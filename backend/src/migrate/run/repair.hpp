#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "migrate/source/migration_set.hpp"

namespace statehouse::detail {

/// Changes to the bookkeeping alone, made because a person asked for them by version.
class Repair {
 public:
  Repair(Connection& connection, const MigrationSet& set, const MigratorOptions& options)
      : connection_(connection), set_(set), options_(options) {}

  /// The rows that would change; everything is checked, nothing is written.
  std::vector<BookkeepingChange> plan_repair(std::span<const std::int64_t> versions) const;
  std::vector<BookkeepingChange> plan_baseline(std::int64_t version) const;

  /// The same under the write lock, and done.
  std::vector<BookkeepingChange> repair(std::span<const std::int64_t> versions) const;
  std::vector<BookkeepingChange> baseline(std::int64_t version) const;

 private:
  Connection& connection_;
  const MigrationSet& set_;
  const MigratorOptions& options_;
};

}  // namespace statehouse::detail
