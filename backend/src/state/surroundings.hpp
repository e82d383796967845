#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "file/inner_directory.hpp"
#include "lane/database_executor.hpp"
#include "pool/awake_pools.hpp"
#include "pool/cluster_options.hpp"
#include "pool/pool_config.hpp"
#include "pool/turn_queue.hpp"
#include "state/maintenance.hpp"
#include "state/open_pools.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"
#include "statehouse/options.hpp"

namespace spdlog {
class logger;
}
namespace statehouse {
class Observer;
}

namespace statehouse::detail {

struct RegistryConfig {
  std::filesystem::path data_dir;
  std::string prefix;
  SharedOptions pool;
  std::size_t max_open_connections;
  DatabaseExecutor executor;  ///< Runs SQLite.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<Observer> observer{};
};

/// What the databases of one registry share.
struct Surroundings {
  explicit Surroundings(RegistryConfig with)
      : config(std::move(with)),
        turns(std::make_shared<TurnQueue>(config.executor)),
        backup_turns(std::make_shared<TurnQueue>(config.executor)),
        awake(AwakePools::make(config.max_open_connections, config.executor)),
        maintenance(std::make_shared<Maintenance>(config.clock)) {}

  const RegistryConfig config;
  const std::shared_ptr<TurnQueue> turns;
  const std::shared_ptr<TurnQueue> backup_turns;
  const std::shared_ptr<AwakePools> awake;
  std::filesystem::path directory;  // empty until init() is done; not written after the first get_pool
  OpenPools open_pools;
  const std::shared_ptr<Maintenance> maintenance;

  /// With the name in the cluster, where there is one and it is not given.
  SharedOptions completed(const DatabaseName& name, const SharedOptions& options) const {
    if (!in_cluster(*options) || !options->cluster.database.empty()) return options;
    auto named = std::make_shared<PoolOptions>(*options);
    named->cluster.database = name.file_name(config.prefix);
    return named;
  }

  /// Empty for a database of a cluster. Throws Error with `errc::not_initialised`.
  std::filesystem::path path_of(const DatabaseName& name, const PoolOptions& options) const {
    if (options.in_memory) return ":memory:";
    if (in_cluster(options)) return {};
    if (directory.empty()) throw Error(errc::not_initialised, "await init() first", {std::string(name.view()), {}});
    return directory / name.file_name(config.prefix);
  }

  /// Throws Error where a cluster cannot have a database of that name.
  static void check_name(const PoolConfig& pool) {
    if (in_cluster(*pool.options) && pool.options->cluster.database.find('/') != std::string::npos)
      throw Error(errc::invalid_name, "a cluster takes no '/': give the name there as cluster.database",
                  {pool.name, {}});
  }
  /// Before a pool of that name is opened: makes the directories in the name, where the file may be made, too. Blocks;
  /// throws Error.
  void make_directories(const DatabaseName& name, const PoolConfig& pool) const {
    check_name(pool);
    if (pool.options->in_memory || in_cluster(*pool.options)) return;
    if (pool.options->read_only) {
      has_inner_directory(directory, name.directory());  // no symbolic link either
    } else {
      make_inner_directory(directory, name.directory());
    }
  }
};

}  // namespace statehouse::detail
