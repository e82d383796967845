#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "state/closing_run.hpp"
#include "state/database.hpp"
#include "state/name_rules.hpp"
#include "state/stats_sums.hpp"

namespace statehouse::detail {

/// The databases by name, and the way to each. Entries are made by add_migrator, configure or the first get_pool. When
/// one is closed its successor takes its place, which goes when the other is gone, if it has nothing to keep. What
/// happens to one database is that database's.
class Registry : public std::enable_shared_from_this<Registry> {
 public:
  explicit Registry(RegistryConfig config);

  asio::awaitable<void> init();
  void add_migrator(const DatabaseName& name, Migrator migrator);
  void configure(const DatabaseName& name, PoolOptions options);
  // The same for all that match, but for those of which more is said.
  void add_migrator(NamePattern pattern, Migrator migrator);
  void configure(NamePattern pattern, PoolOptions options);
  /// The open pool, if this thread's table has it; null when it has not, for whatever reason. What is in there is a
  /// name, so `name` need not be looked at for that.
  std::shared_ptr<PoolCore> find_open(std::string_view name) const noexcept {
    if (name.ends_with(".db")) name.remove_suffix(3);
    return forked() ? nullptr : surroundings_->open_pools.find(name);
  }
  /// The open pool; null when somebody has to open it. Throws when that is impossible.
  std::shared_ptr<PoolCore> find(const DatabaseName& name) const;
  /// What a caller of get_pool may wait for. Throws like `find`.
  std::shared_ptr<Database> to_open(const DatabaseName& name);
  std::filesystem::path path_of(const DatabaseName& name) const;
  /// Database::visit. One that nothing else is known of is forgotten, by the next call of these.
  std::optional<Visit> visit(const DatabaseName& name, OnVisited done);
  void forget_visited();
  /// Names of files that are there. On a database thread, blocks. Throws Error.
  std::vector<std::string> find_files(const NamePattern& pattern) const;
  const RegistryConfig& config() const noexcept { return surroundings_->config; }
  std::vector<std::string> names() const;
  std::vector<DatabaseStats> stats() const;
  StatsSummary stats_summary(std::size_t named);
  Health health() const;

  /// From here on everything is `closed`.
  std::shared_ptr<ClosingRun> shut_down(ShutdownOptions options);
  /// That one, which may be opened again when it is gone. Throws like `find`.
  std::shared_ptr<ClosingRun> close(const DatabaseName& name, ending why, ShutdownOptions options);
  /// After that: there is no entry unless somebody wants one.
  void forget(const DatabaseName& name);
  bool idle() const;      ///< Nothing is open or being opened.
  bool stopping() const;  ///< The shutdown has begun.
  bool forked() const noexcept;

 private:
  void check_process(std::string_view database = {}) const;
  std::vector<std::shared_ptr<Database>> entries() const;

  // Under the mutex.
  void check_usable() const;
  std::shared_ptr<Database> known(const DatabaseName& name) const;
  std::shared_ptr<Database> entry(const DatabaseName& name);
  void apply_rules(const NamePattern& pattern);
  void forget();
  bool forget_unused(const DatabaseName& name);
  std::vector<std::shared_ptr<Database>> all() const;
  std::vector<std::shared_ptr<Database>> all_at_work() const;

  const std::shared_ptr<Surroundings> surroundings_;
  const unsigned generation_;  // of forks

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Database>, std::less<>> databases_;
  StatsSums sums_;
  NameRules rules_;
  std::vector<DatabaseName> perhaps_unused_;  // visited and not mentioned before, or closed
  std::shared_ptr<ClosingRun> shutdown_;      // once it has begun
};

}  // namespace statehouse::detail
