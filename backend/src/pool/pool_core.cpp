#include "pool/pool_core.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "file/fork.hpp"
#include "pool/startup_check.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::detail {
namespace {

/// Something the pool does on its own writer; belongs to the handler it completes with.
template <class Work>
class Chore final : public Operation {
 public:
  Chore(const char* name, Work work)
      : Operation({connection_role::writer,
                   run_mode::lone_statement,
                   name,
                   std::source_location::current(),
                   {.timeout = std::chrono::milliseconds(0)}}),
        work_(std::move(work)) {}

 private:
  void run(Connection& connection) override { work_(connection.session()); }

  Work work_;
};

/// Queues `work(Session&)` behind what waits for the writer; nobody waits for it. What is given lives until it is done.
template <class Work>
std::weak_ptr<void> queue_chore(PoolCore& pool, const char* name, Work work) {
  const auto chore = std::make_shared<Chore<Work>>(name, std::move(work));
  chore->hold(asio::bind_executor(pool.config().executor, [chore] {}));
  pool.submit(*chore);
  return chore;
}

PoolConfig normalised(PoolConfig config) {
  PoolOptions& options = config.options;
  if (options.in_memory) options.mode = pool_mode::single;
  if (options.readers == 0) options.readers = std::clamp(std::thread::hardware_concurrency(), 2U, 4U);
  return config;
}

}  // namespace

PoolCore::PoolCore(PoolConfig config)
    : config_(normalised(std::move(config))),
      generation_(fork_generation()),
      writer_(*this, connection_role::writer, [this](const auto& interrupter) {
        auto connection = connect(connection_role::writer, interrupter);
        if (wal_) wal_->attach(connection->session());
        return connection;
      }) {
  if (!config_.options.in_memory) wal_.emplace(config_);
  if (config_.options.mode == pool_mode::single) return;
  readers_.emplace(*this, connection_role::reader,
                   [this](const auto& interrupter) { return connect(connection_role::reader, interrupter); });
}

PoolCore::~PoolCore() {
  // Only an opening that failed comes here with connections; the readers must still go first.
  if (readers_) readers_->close_connections();
  writer_.close_connections();
}

std::shared_ptr<PoolCore> PoolCore::open(PoolConfig config, const Migrator* migrator,
                                         std::shared_ptr<Interrupter> interrupter) {
  auto core = std::make_shared<PoolCore>(std::move(config));
  core->open_connections(migrator, std::move(interrupter));
  return core;
}

void PoolCore::open_connections(const Migrator* migrator, std::shared_ptr<Interrupter> interrupter) {
  const PoolOptions& options = config_.options;
  if (!options.in_memory) {
    prepare_file(config_.path, options.connection.tighten_permissions, *config_.logger);
    claim_.emplace(config_.path);
    check_at_startup(config_, interrupter);
  }
  // The writer makes the WAL and its index and migrates before any reader looks at the file.
  auto writer = connect(connection_role::writer, interrupter);
  if (options.connection.exclusive && !options.in_memory) {
    // Left by a killed process that did not have the file for itself; with the file locked it is nobody's.
    std::error_code ignored;
    std::filesystem::remove(config_.path.string() + "-shm", ignored);
  }
  if (migrator != nullptr) migrate(*writer, *migrator);
  if (wal_) wal_->attach(writer->session());
  writer_.add(std::move(writer), interrupter);
  for (unsigned i = 0; readers_ && i < options.readers; ++i) {
    auto stop = std::make_shared<Interrupter>(config_.clock);
    auto connection = connect(connection_role::reader, stop);
    readers_->add(std::move(connection), std::move(stop));
  }
  interrupter->disarm();
}

std::unique_ptr<Connection> PoolCore::connect(connection_role role,
                                              const std::shared_ptr<Interrupter>& interrupter) const {
  return std::make_unique<Connection>(SessionConfig{.path = config_.path,
                                                    .database = config_.name,
                                                    .role = role,
                                                    .mode = config_.options.mode,
                                                    .options = config_.options.connection,
                                                    .interrupter = interrupter,
                                                    .logger = config_.logger});
}

void PoolCore::migrate(Connection& connection, const Migrator& migrator) {
  for (const std::string& file : migrator.ignored())
    config_.logger->warn("database '{}': migration file '{}' is ignored: name it <version>_<description>.sql",
                         config_.name, file);
  const MigrationReport report = migrator.run(connection);
  for (const Migration& migration : migrator.migrations())
    schema_version_ = std::max(schema_version_.value_or(migration.version), migration.version);
  if (report.versions.empty()) return;
  // Statistics for the new schema before anybody is served.
  connection.session().optimize(config_.options.connection.optimize_budget);
}

bool PoolCore::forked() const noexcept {
  return generation_ != fork_generation();
}

void PoolCore::refuse_fork(Operation& operation) const {
  Lane::refuse(operation,
               std::make_exception_ptr(Error(
                   errc::forked_process, "called in a forked child: make a new AppState there", {config_.name, {}})));
}

void PoolCore::submit(Operation& operation) {
  if (forked()) return refuse_fork(operation);
  const bool reads = operation.request().role == connection_role::reader;
  (reads && readers_ ? *readers_ : writer_).submit(operation);
}

bool PoolCore::run_inline(Operation& operation) {
  return !forked() && (readers_ ? *readers_ : writer_).run_inline(operation);
}

void PoolCore::close(std::exception_ptr error, std::function<void()> on_closed) {
  bool over = false;
  {
    std::lock_guard lock(mutex_);
    over = state_ == database_state::closed;
    if (on_closed && !over) on_closed_ = std::move(on_closed);
    closing_ = true;
  }
  if (over) {
    if (on_closed) on_closed();
    return;
  }
  if (readers_) readers_->close(error);
  writer_.close(error);
  lane_parked();
}

void PoolCore::interrupt() noexcept {
  if (readers_) readers_->interrupt();
  writer_.interrupt();
}

bool PoolCore::parked() const {
  return writer_.parked() && (!readers_ || readers_->parked());
}

void PoolCore::lane_parked() {
  {
    std::lock_guard lock(mutex_);
    if (!closing_ || taken_) return;
  }
  if (!parked()) return;
  std::lock_guard lock(mutex_);  // which `close_now` takes as well: the post is over before anybody hears of the end
  if (!taken_) asio::post(config_.executor, [self = shared_from_this()] { self->close_now(); });
}

bool PoolCore::close_now() {
  if (!parked()) return false;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(taken_, true)) return state_ == database_state::closed;
  }
  if (readers_) readers_->close_connections();
  writer_.close_connections();
  std::function<void()> on_closed;
  {
    std::lock_guard lock(mutex_);
    claim_.reset();
    state_ = database_state::closed;
    on_closed = std::move(on_closed_);
  }
  if (on_closed) on_closed();
  return true;
}

bool PoolCore::file_in_place() const noexcept {
  return !claim_ || claim_->still_there();
}

bool PoolCore::check_file() {
  {
    std::lock_guard lock(mutex_);
    if (closing_) return state_ != database_state::failed;
    if (file_in_place()) return true;
    state_ = database_state::failed;
    failure_ = "the file '" + config_.path.filename().string() +
               "' was moved, deleted or replaced while open; what was written since is lost to it";
  }
  config_.logger->error("database '{}': {}: restart the service", config_.name, failure_);
  close(std::make_exception_ptr(Error(errc::file_replaced, failure_, {config_.name, {}})), {});
  interrupt();
  return false;
}

void PoolCore::report_long_leases() {
  if (readers_) readers_->report_long_leases();
  writer_.report_long_leases();
}

void PoolCore::optimize() {
  queue_chore(*this, "optimize",
              [budget = config_.options.connection.optimize_budget](Session& writer) { writer.optimize(budget); });
}

void PoolCore::checkpoint_if_idle() {
  if (!wal_ || !wal_->is_idle() || !idle_checkpoint_.expired()) return;
  idle_checkpoint_ = queue_chore(*this, "checkpoint", [this](Session& writer) { wal_->truncate(writer); });
}

void PoolCore::keep_wal(Session& writer) {
  if (wal_) wal_->keep(writer, readers_ ? &*readers_ : nullptr);
}

std::vector<Holder> PoolCore::holders() const {
  std::vector<Holder> all = writer_.holders();
  if (readers_) std::ranges::copy(readers_->holders(), std::back_inserter(all));
  std::ranges::sort(all, std::greater(), &Holder::held_for);
  return all;
}

DatabaseStats PoolCore::stats() const {
  DatabaseStats result;
  result.name = config_.name;
  {
    std::lock_guard lock(mutex_);
    result.state = state_;
    result.last_error = failure_;
  }
  result.writer = writer_.stats();
  if (readers_) result.readers = readers_->stats();
  if (result.last_error.empty()) result.last_error = writer_.last_error();
  if (result.last_error.empty() && readers_) result.last_error = readers_->last_error();
  result.holders = holders();
  if (!config_.options.in_memory) {
    result.wal_bytes = file_size_or_zero(config_.path.string() + "-wal");
    result.file_bytes = file_size_or_zero(config_.path);
  }
  result.schema_version = schema_version_;
  result.vulnerable_sqlite = has_wal_reset_bug(sqlite3_libversion_number());
  return result;
}

}  // namespace statehouse::detail
