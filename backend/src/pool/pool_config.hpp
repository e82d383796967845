#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "lane/database_executor.hpp"
#include "pool/cluster_options.hpp"
#include "pool/turn_queue.hpp"
#include "statehouse/clock.hpp"
#include "statehouse/options.hpp"

namespace spdlog {
class logger;
}

namespace statehouse {
class Observer;
}

namespace statehouse::detail {

struct PoolConfig {
  std::string name;
  std::filesystem::path path;  ///< Absolute and canonical but for the file name; ":memory:" when in memory.
  PoolOptions options;
  DatabaseExecutor executor;
  std::shared_ptr<TurnQueue> turns{};         ///< For what databases do beside their writers; null: one of its own.
  std::shared_ptr<TurnQueue> backup_turns{};  ///< For their backups, of which a part may take minutes; null: the same.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<Observer> observer{};

  /// What the log calls it.
  std::string place() const {
    return in_cluster(options) ? options.cluster.database + " of a cluster" : path.filename().string();
  }
};

}  // namespace statehouse::detail
