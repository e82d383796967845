#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "statehouse/stats.hpp"

namespace statehouse::detail {

class Database;

// What is counted and only ever rises; neither the name, nor what is so at this moment.
void add_counters(DatabaseStats& sum, const DatabaseStats& more);
/// Of the same database, earlier.
void subtract_counters(DatabaseStats& later, const DatabaseStats& earlier);
/// Connections, operations that wait, sizes: of this moment.
void add_gauges(DatabaseStats& sum, const DatabaseStats& more);

/// Which databases are shown by themselves, and the sum of all others: what has been counted of those that sleep is
/// settled once, so that nobody needs to look at them again until they wake.
class StatsSums {
 public:
  StatsSummary of(const std::vector<std::shared_ptr<Database>>& all, std::size_t named);
  /// It is about to be closed, and another takes its place: what it has counted stays in the sum.
  void settle(Database& database);

 private:
  void show_more(const std::vector<std::shared_ptr<Database>>& all, std::size_t named);

  std::mutex mutex_;
  std::size_t shown_ = 0;
  DatabaseStats settled_;
};

}  // namespace statehouse::detail
