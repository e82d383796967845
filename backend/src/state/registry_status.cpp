#include "state/registry.hpp"

// What is told of all databases.

namespace statehouse::detail {
namespace {

/// Of more databases health lists those only that are not well.
constexpr std::size_t most_listed = 100;

}  // namespace

std::vector<std::string> Registry::names() const {
  check_process();
  std::vector<std::string> result;
  for (const auto& database : entries())
    if (const auto core = database->open_pool()) result.push_back(core->config().name);
  return result;
}

std::vector<DatabaseStats> Registry::stats() const {
  check_process();
  std::vector<DatabaseStats> result;
  for (const auto& database : entries())
    if (auto stats = database->stats()) result.push_back(std::move(*stats));
  return result;
}

StatsSummary Registry::stats_summary(std::size_t named) {
  check_process();
  StatsSummary summary = sums_.of(entries(), named);
  const ConnectionBudget& budget = *surroundings_->awake->budget();
  summary.acquired_connections = budget.acquired();
  summary.max_open_connections = budget.most();
  summary.waiting_for_connection = budget.waiting();
  return summary;
}

Health Registry::health() const {
  check_process();
  Health result;
  std::vector<std::shared_ptr<Database>> databases;
  {
    std::lock_guard lock(mutex_);
    result.initialised = !surroundings_->directory.empty();
    databases = all();
  }
  const bool all_listed = databases.size() <= most_listed;
  for (const auto& database : databases) {
    if (!database->mentioned()) continue;
    DatabaseHealth health = database->health();
    if (all_listed || health.reason != health_reason::none) {
      result.databases.push_back(std::move(health));
    } else {
      ++result.well;
    }
  }
  std::lock_guard lock(mutex_);  // last: what was asked during a shutdown is told as that
  result.stopping = shutdown_ != nullptr;
  return result;
}

}  // namespace statehouse::detail
