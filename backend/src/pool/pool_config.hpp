#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "lane/database_executor.hpp"
#include "pool/awake_pools.hpp"
#include "pool/cluster_options.hpp"
#include "pool/shared_options.hpp"
#include "pool/turn_queue.hpp"
#include "statehouse/clock.hpp"

namespace spdlog {
class logger;
}

namespace statehouse {
class Observer;
}

namespace statehouse::detail {

struct PoolConfig {
  std::string name;
  /// Absolute and canonical but for the file name; ":memory:" when in memory. As text: a std::filesystem::path keeps
  /// each of its parts a second time.
  std::string path;
  SharedOptions options;
  DatabaseExecutor executor;
  std::shared_ptr<TurnQueue> turns{};         ///< For what databases do beside their writers; null: one of its own.
  std::shared_ptr<AwakePools> awake{};        ///< With the budget of connections; null: nobody counts.
  std::shared_ptr<TurnQueue> backup_turns{};  ///< For their backups, of which a part may take minutes; null: the same.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<Observer> observer{};
  std::function<void(bool asleep)>
      on_rest{};  ///< It has fallen asleep, or is about to wake, perhaps in vain. On a database thread.

  /// A database in memory would be gone, one of a cluster has no file to tell a change by, who has a file for himself
  /// does not leave it to others, and where another process has the log it stays.
  bool may_sleep() const {
    return !options->in_memory && !in_cluster(*options) && !options->connection.exclusive &&
           options->checkpoint == checkpoint_mode::own;
  }
  /// One in memory takes no descriptor.
  std::shared_ptr<ConnectionBudget> budget() const {
    return awake == nullptr || options->in_memory ? nullptr : awake->budget();
  }
  /// What the log calls it.
  std::string place() const {
    return in_cluster(*options) ? options->cluster.database + " of a cluster" : (inner() / file().filename()).string();
  }
  std::filesystem::path file() const { return path; }
  /// The directories in the name, below that of all databases.
  std::filesystem::path inner() const { return std::filesystem::path(name).parent_path(); }
  /// Where the backups go. In a directory that all databases share each has its own part, as their names have it: files
  /// of the same name in there are told apart by no more than a short hash.
  std::filesystem::path backup_directory() const {
    const auto& directory = options->backup.directory;
    return directory.is_absolute() ? directory / inner() : file().parent_path() / directory;
  }
};

}  // namespace statehouse::detail
