#include "state/registry.hpp"

#include <spdlog/logger.h>

#include <algorithm>

#include "engine/vfs_option.hpp"
#include "file/file.hpp"
#include "file/fork.hpp"
#include "pool/checkpoint_options.hpp"
#include "pool/read_only_options.hpp"
#include "state/errors.hpp"
#include "statehouse/database_files.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::detail {
namespace {

/// Makes the data directory on a database thread while the coroutine waits.
class DirectoryCall final : public Suspension {
 public:
  explicit DirectoryCall(const RegistryConfig& config) : config_(config) {}

  void start() {
    const bool posted = config_.executor.post([this] {
      try {
        directory_ = config_.pool->read_only ? find_directory(config_.data_dir) : prepare_directory(config_.data_dir);
        warn_if_shared(directory_, *config_.logger);
      } catch (...) {
        error_ = std::current_exception();
      }
      resume();
    });
    if (posted) return;  // and may be over
    error_ = std::make_exception_ptr(closed_error());
    resume();
  }
  std::filesystem::path take() {
    if (error_ != nullptr) std::rethrow_exception(error_);
    return std::move(directory_);
  }

 private:
  void on_cancel(asio::cancellation_type) noexcept override {}

  const RegistryConfig& config_;
  std::filesystem::path directory_;
  std::exception_ptr error_;
};

/// The oldest first.
std::vector<std::shared_ptr<Database>> with_predecessors(const std::shared_ptr<Database>& database) {
  std::vector<std::shared_ptr<Database>> all{database};
  while (auto before = all.back()->predecessor()) all.push_back(std::move(before));
  std::ranges::reverse(all);
  return all;
}

void log_sqlite_version(spdlog::logger& logger) {
  const SqliteVersion version = sqlite_version();
  logger.info("SQLite {} ({})", version.text, version.source_id);
  if (version.wal_reset_bug)
    logger.info(
        "SQLite {} has the WAL-reset bug (fixed in 3.51.3): let no other program write to these databases while the "
        "service runs",
        version.text);
}

}  // namespace

Registry::Registry(RegistryConfig config)
    : surroundings_(std::make_shared<Surroundings>(std::move(config))), generation_(fork_generation()) {}

bool Registry::forked() const noexcept {
  return generation_ != fork_generation();
}

void Registry::check_process(std::string_view database) const {
  if (forked()) throw forked_error(database);
}

asio::awaitable<void> Registry::init() {
  check_process();
  const auto self = shared_from_this();  // the AppState may go while a database thread looks at the directory
  {
    std::lock_guard lock(mutex_);
    if (shutdown_ != nullptr) throw closed_error();
    if (!surroundings_->directory.empty()) co_return;
  }
  DirectoryCall call(surroundings_->config);
  auto start = [&] { call.start(); };
  co_await suspend(call, start);
  auto directory = call.take();
  {
    std::lock_guard lock(mutex_);
    if (shutdown_ != nullptr) throw closed_error();
    if (!surroundings_->directory.empty()) co_return;
    surroundings_->directory = std::move(directory);
  }
  log_sqlite_version(*surroundings_->config.logger);
}

void Registry::check_usable() const {
  if (shutdown_ != nullptr) throw closed_error();
  if (surroundings_->directory.empty()) throw Error(errc::not_initialised, "await init() before the first get_pool");
}

std::shared_ptr<Database> Registry::known(const DatabaseName& name) const {
  const auto found = databases_.find(name.view());
  return found != databases_.end() ? found->second : nullptr;
}

std::shared_ptr<Database> Registry::entry(const DatabaseName& name) {
  if (shutdown_ != nullptr) throw closed_error(name.view());
  if (auto database = known(name)) return database;
  auto database = std::make_shared<Database>(surroundings_, name);
  database->follow(rules_);
  return databases_.emplace(name.view(), std::move(database)).first->second;
}

std::vector<std::shared_ptr<Database>> Registry::entries() const {
  std::lock_guard lock(mutex_);
  return all();
}

std::vector<std::shared_ptr<Database>> Registry::all() const {
  std::vector<std::shared_ptr<Database>> result;
  result.reserve(databases_.size());
  for (const auto& [name, database] : databases_) result.push_back(database);
  return result;
}

/// With those that are being closed.
std::vector<std::shared_ptr<Database>> Registry::all_at_work() const {
  std::vector<std::shared_ptr<Database>> result;
  for (const auto& [name, database] : databases_)
    std::ranges::move(with_predecessors(database), std::back_inserter(result));
  return result;
}

void Registry::add_migrator(const DatabaseName& name, Migrator migrator) {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  entry(name)->set_migrator(std::move(migrator));
}

void Registry::configure(const DatabaseName& name, PoolOptions options) {
  check_process(name.view());
  check_cluster(options);
  check_checkpoint(options);
  check_read_only(options);
  check_vfs(options.connection);
  std::lock_guard lock(mutex_);
  entry(name)->set_options(std::move(options));
}

void Registry::add_migrator(NamePattern pattern, Migrator migrator) {
  check_process(pattern.text());
  std::lock_guard lock(mutex_);
  if (shutdown_ != nullptr) throw closed_error(pattern.text());
  rules_.add_migrator(pattern, std::move(migrator));
  apply_rules(pattern);
}

void Registry::configure(NamePattern pattern, PoolOptions options) {
  check_process(pattern.text());
  check_shared_cluster(options);
  check_checkpoint(options);
  check_read_only(options);
  check_vfs(options.connection);
  std::lock_guard lock(mutex_);
  if (shutdown_ != nullptr) throw closed_error(pattern.text());
  rules_.add_options(pattern, std::move(options));
  apply_rules(pattern);
}

void Registry::apply_rules(const NamePattern& pattern) {
  for (const auto& [name, database] : databases_)
    if (pattern.matches(name)) database->follow(rules_);
}

std::optional<Visit> Registry::visit(const DatabaseName& name, OnVisited done) {
  check_process(name.view());
  std::shared_ptr<Database> database;
  {
    std::lock_guard lock(mutex_);
    check_usable();
    forget();
    if (known(name) == nullptr) perhaps_unused_.push_back(name);
    database = entry(name);
  }
  return database->visit(std::move(done));
}

void Registry::forget_visited() {
  std::lock_guard lock(mutex_);
  forget();
}

void Registry::forget() {
  if (shutdown_ != nullptr) return;
  std::erase_if(perhaps_unused_, [this](const DatabaseName& name) { return forget_unused(name); });
}

/// False while somebody has it: he may be about to open it.
bool Registry::forget_unused(const DatabaseName& name) {
  const auto found = databases_.find(name.view());
  if (found == databases_.end()) return true;
  const auto& database = found->second;
  if (database.use_count() > 1 || database->predecessor() != nullptr) return false;
  if (database->forgettable()) databases_.erase(found);
  return true;
}

std::vector<std::string> Registry::find_files(const NamePattern& pattern) const {
  check_process();
  {
    std::lock_guard lock(mutex_);
    check_usable();
  }
  return find_databases(surroundings_->directory, pattern.text(), surroundings_->config.prefix);
}

std::shared_ptr<PoolCore> Registry::find(const DatabaseName& name) const {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  check_usable();
  const auto database = known(name);
  return database != nullptr ? database->find() : nullptr;
}

std::shared_ptr<Database> Registry::to_open(const DatabaseName& name) {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  check_usable();
  return entry(name);
}

std::filesystem::path Registry::path_of(const DatabaseName& name) const {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  const auto database = known(name);
  if (database != nullptr) return database->path();
  const auto options = rules_.options_of(name.view());
  return surroundings_->path_of(name, *(options != nullptr ? options : surroundings_->config.pool));
}

std::shared_ptr<ClosingRun> Registry::shut_down(ShutdownOptions options) {
  std::shared_ptr<ClosingRun> run;
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = shutdown_ == nullptr;
    if (first) {
      // Before anybody can hear of it: whoever has been refused finds nothing open.
      shutdown_ = std::make_shared<ClosingRun>(surroundings_->config.clock, all_at_work());
      surroundings_->open_pools.close();
      shutdown_->refuse(ending::shutdown);
      surroundings_->maintenance->stop();
    }
    run = shutdown_;
  }
  run->limit(options);
  if (first) {
    run->close();
    surroundings_->awake->budget()->close();
  }
  run->proceed();
  return run;
}

std::shared_ptr<ClosingRun> Registry::close(const DatabaseName& name, ending why, ShutdownOptions options) {
  check_process(name.view());
  std::shared_ptr<ClosingRun> run;
  {
    std::lock_guard lock(mutex_);
    check_usable();
    forget();
    const auto closed = entry(name);
    if (why == ending::removal) closed->check_removable();
    std::vector<std::shared_ptr<Database>> databases = with_predecessors(closed);
    if (why == ending::close && closed->is_unopened()) {
      databases.pop_back();
    } else {
      sums_.settle(*closed);
      databases_.find(name.view())->second = closed->make_successor();
    }
    run = std::make_shared<ClosingRun>(surroundings_->config.clock, std::move(databases));
    run->refuse(why);
  }
  run->limit(options);
  run->close();
  run->proceed();
  return run;
}

void Registry::forget(const DatabaseName& name) {
  std::lock_guard lock(mutex_);
  if (!forget_unused(name)) perhaps_unused_.push_back(name);
}

bool Registry::stopping() const {
  std::lock_guard lock(mutex_);
  return shutdown_ != nullptr;
}

bool Registry::idle() const {
  std::lock_guard lock(mutex_);
  return std::ranges::all_of(all_at_work(), &Database::is_idle);
}

}  // namespace statehouse::detail
