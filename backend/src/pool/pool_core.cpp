#include "pool/pool_core.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>

#include "cluster/cluster_engine.hpp"
#include "engine/connection_access.hpp"
#include "file/fork.hpp"
#include "migrate/source/script_facts.hpp"
#include "pool/checkpoint_options.hpp"
#include "pool/chores.hpp"
#include "pool/cluster_options.hpp"
#include "sqlite/local_engine.hpp"
#include "text/trim.hpp"

namespace statehouse::detail {
namespace {

PoolConfig normalised(PoolConfig config) {
  PoolOptions& options = config.options = with_checkpoint_patience(std::move(config.options));
  if (config.turns == nullptr) config.turns = std::make_shared<TurnQueue>(config.executor);
  if (config.backup_turns == nullptr) config.backup_turns = std::make_shared<TurnQueue>(config.executor);
  if (options.in_memory) options.mode = pool_mode::single;
  if (options.readers == 0) options.readers = std::clamp(std::thread::hardware_concurrency(), 2U, 4U);
  return config;
}

/// How long what an operation has found is taken to be so: without requests nobody would find that it is over.
constexpr auto found_recently = std::chrono::seconds(10);

/// Times that the migrations of one opening are begun again.
constexpr int most_leaders_lost = 5;

/// Of the migration that has failed, if it was one.
std::optional<std::int64_t> version_of(const Error& error) {
  const auto* const failed = dynamic_cast<const MigrationError*>(&error);
  return failed == nullptr ? std::nullopt : failed->version();
}

/// The leader of a cluster went between migrations, or during one that is either wholly applied or not at all.
bool lost_leader(const Error& error, const Migrator& migrator) {
  const auto* const failed = dynamic_cast<const MigrationError*>(&error);
  const auto why = failed != nullptr ? failed->cause() : error.code();
  if (why != errc::unavailable && why != errc::outcome_unknown) return false;
  if (failed == nullptr) return true;
  const auto of_version = [&](const Migration& each) { return each.version == failed->version(); };
  const auto found = std::ranges::find_if(migrator.migrations(), of_version);
  return found == migrator.migrations().end() || !(found->no_transaction || examine(trim(found->sql)).commit);
}

}  // namespace

PoolCore::PoolCore(PoolConfig config)
    : config_(normalised(std::move(config))),
      context_(make_context()),
      writer_(context_, connection_role::writer,
              [this](const auto& interrupter) {
                auto connection = connect(connection_role::writer, interrupter);
                engine_->begin_service(session_of(*connection));
                return connection;
              }),
      backups_(
          config_, [this](const auto& interrupter) { return connect(connection_role::reader, interrupter); },
          [this] { on_parked(); }),
      gate_(readers_, backups_) {
  if (config_.options.mode == pool_mode::single) return;
  readers_.emplace(context_, connection_role::reader,
                   [this](const auto& interrupter) { return connect(connection_role::reader, interrupter); });
}

PoolCore::~PoolCore() {
  // Only an opening that failed comes here with connections; the readers must still go first.
  if (readers_) readers_->close_connections();
  writer_.close_connections();
}

LaneContext PoolCore::make_context() {
  return {.name = config_.name,
          .options = config_.options,
          .executor = config_.executor,
          .clock = config_.clock,
          .logger = config_.logger,
          .observer = config_.observer,
          .owner = {},
          .generation = fork_generation(),
          .due = [this](const Session& writer) { return engine_->due(writer); },
          .before_next = [this](Session& writer) { before_next(writer); },
          .before_close = [this](Session& writer) { engine_->before_close(writer); },
          .on_parked = [this] { on_parked(); }};
}

std::shared_ptr<PoolCore> PoolCore::open(PoolConfig config, const Migrator* migrator,
                                         std::shared_ptr<Interrupter> interrupter) {
  auto core = std::make_shared<PoolCore>(std::move(config));
  core->context_.owner = core;
  core->open_connections(migrator, interrupter);
  return core;
}

std::unique_ptr<Engine> PoolCore::make_engine(const std::shared_ptr<Interrupter>& interrupter) const {
  if (in_cluster(config_.options))
    return std::make_unique<ClusterEngine>(ClusterEngineConfig{.database = config_.name,
                                                               .cluster = config_.options.cluster,
                                                               .connection = config_.options.connection,
                                                               .logger = config_.logger});
  return std::make_unique<LocalEngine>(LocalEngineConfig{.path = config_.path,
                                                         .database = config_.name,
                                                         .options = config_.options,
                                                         .clock = config_.clock,
                                                         .logger = config_.logger},
                                       interrupter);
}

void PoolCore::open_connections(const Migrator* migrator, const std::shared_ptr<Interrupter>& interrupter) {
  const auto began = config_.clock->now();
  engine_ = make_engine(interrupter);
  // The writer makes the WAL and its index and migrates before any reader looks at the file.
  auto writer = connect(connection_role::writer, interrupter);
  if (migrator != nullptr) migrate(*writer, *migrator);
  engine_->begin_service(session_of(*writer));
  writer_.add(std::move(writer), interrupter);
  for (unsigned i = 0; readers_ && i < config_.options.readers; ++i) {
    auto stop = std::make_shared<Interrupter>(config_.clock);
    auto connection = connect(connection_role::reader, stop);
    readers_->add(std::move(connection), std::move(stop));
  }
  backups_.begin(weak_from_this());
  opening_time_ = config_.clock->now() - began;
}

std::unique_ptr<Connection> PoolCore::connect(connection_role role, const std::shared_ptr<Interrupter>& interrupter) {
  return detail::connect(engine_->open(role, interrupter), config_.options.connection);
}

void PoolCore::migrate(Connection& writer, const Migrator& migrator) {
  for (const std::string& file : migrator.ignored())
    config_.logger->warn("database '{}': migration file '{}' is ignored: name it <version>_<description>.sql",
                         config_.name, file);
  migrated_ = run_migrations(writer, migrator);
  for (const MigrationStatus& each : migrator.status(writer))  // ascending, and not all of them in the set
    if (each.state != migration_state::pending) schema_version_ = each.version;
  if (migrated_.versions.empty()) return;
  // Statistics for the new schema before anybody is served.
  engine_->optimize(session_of(writer), config_.options.connection.optimize_budget);
}

/// Looks what is applied, and goes on, where the leader of a cluster went in the middle. A migration that has cost two
/// leaders is not handed to the next: one that takes longer than the others wait for a word costs each of them.
MigrationReport PoolCore::run_migrations(Connection& writer, const Migrator& migrator) const {
  std::optional<std::int64_t> last;
  for (int lost = 0;; ++lost) {
    try {
      return migrator.run(writer);
    } catch (const Error& error) {
      if (lost == most_leaders_lost || !lost_leader(error, migrator)) throw;
      const auto version = version_of(error);
      if (version && version == std::exchange(last, version)) throw;
      config_.logger->warn("database '{}': {}: looking what is applied, and going on", config_.name, error.what());
    }
  }
}

void PoolCore::submit(Operation& operation) {
  const bool reads = operation.request().role == connection_role::reader;
  (reads && readers_ ? *readers_ : writer_).submit(operation);
}

bool PoolCore::run_inline(Operation& operation) {
  return (readers_ ? *readers_ : writer_).run_inline(operation);
}

void PoolCore::close(std::exception_ptr error, std::function<void()> on_closed) {
  bool over = false;
  {
    std::lock_guard lock(mutex_);
    over = state_ == database_state::closed;
    if (on_closed && !over) on_closed_.swap(on_closed);
    closing_ = true;
  }
  if (over) {
    if (on_closed) on_closed();
    return;
  }
  backups_.stop();  // first: none begins once all are parked
  if (readers_) readers_->close(error);
  writer_.close(error);
  on_parked();
}

void PoolCore::interrupt() noexcept {
  if (readers_) readers_->interrupt();
  writer_.interrupt();
}

bool PoolCore::parked() const {
  {
    std::lock_guard lock(mutex_);
    if (in_turn_) return false;
  }
  return writer_.parked() && (!readers_ || readers_->parked()) && backups_.idle();
}

void PoolCore::before_next(Session& writer) {
  try {
    if (!engine_->before_next(writer, &gate_)) return;
  } catch (const Error&) {
    close_if_lost();
    throw;
  }
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(turn_asked_, true)) return;
  }
  // Weak: what waits there when the threads are over must not be what closes this.
  config_.turns->add([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->work_beside();
  });
}

/// None begins once the pool is closing, and until it is over nothing is closed: it has the engine.
void PoolCore::work_beside() {
  {
    std::lock_guard lock(mutex_);
    turn_asked_ = false;
    if (closing_) return;
    in_turn_ = true;
    work_began_ = config_.clock->now();
  }
  engine_->work_beside();
  {
    std::lock_guard lock(mutex_);
    in_turn_ = false;
  }
  close_if_lost();
  on_parked();
}

void PoolCore::on_parked() {
  {
    std::lock_guard lock(mutex_);
    if (!closing_ || taken_) return;
  }
  if (parked()) config_.executor.post([self = shared_from_this()] { self->close_now(); });
}

bool PoolCore::close_now() {
  backups_.abandon();
  if (!parked()) return false;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(taken_, true)) return state_ == database_state::closed;
    work_began_ = config_.clock->now();
  }
  if (readers_) readers_->close_connections();
  writer_.close_connections();
  std::string unfinished = engine_->release();
  std::function<void()> on_closed;
  {
    std::lock_guard lock(mutex_);
    unfinished_ = std::move(unfinished);
    state_ = database_state::closed;
    on_closed = std::move(on_closed_);
  }
  if (on_closed) on_closed();
  return true;
}

std::optional<Loss> PoolCore::close_if_lost() {
  std::optional<Loss> loss;
  {
    std::lock_guard lock(mutex_);
    if (closing_ || loss_) return loss_;
    loss = engine_->loss();
    if (!loss) return std::nullopt;
    state_ = database_state::failed;
    loss_ = loss;
  }
  config_.logger->error("database '{}': {}: restart the service", config_.name, loss->text);
  close(std::make_exception_ptr(Error(loss->code, loss->text, {config_.name, {}})), {});
  interrupt();
  return loss;
}

std::string PoolCore::unfinished() const {
  std::lock_guard lock(mutex_);
  return unfinished_;
}

void PoolCore::report_long_leases() {
  if (readers_) readers_->report_long_leases();
  writer_.report_long_leases();
}

void PoolCore::checkpoint_if_idle() {
  if (!engine_->note_idle() || !idle_chore_.expired()) return;
  idle_chore_ = queue_chore(writer_, config_.executor, operation_verb::checkpoint,
                            [this](Session& writer) { engine_->on_idle(writer); });
}

void PoolCore::optimize() {
  queue_chore(writer_, config_.executor, operation_verb::optimize,
              [this](Session& writer) { engine_->optimize(writer, config_.options.connection.optimize_budget); });
}

void PoolCore::back_up_if_due() {
  backups_.begin_if_due();
}

std::vector<Holder> PoolCore::holders() const {
  std::vector<Holder> all = writer_.holders();
  if (readers_) std::ranges::copy(readers_->holders(), std::back_inserter(all));
  std::ranges::sort(all, std::greater(), &Holder::held_for);
  return all;
}

std::vector<Holder> PoolCore::at_work() const {
  std::vector<Holder> all = holders();
  if (auto backup = backups_.holder()) all.push_back(std::move(*backup));
  std::lock_guard lock(mutex_);
  if (!in_turn_ && (!taken_ || state_ == database_state::closed)) return all;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(config_.clock->now() - work_began_);
  all.push_back({connection_role::writer, in_turn_ ? "checkpoint" : "close", config_.place(), since, true});
  return all;
}

health_reason reason_of(const Loss& loss) noexcept {
  return loss.code == errc::sync_failed ? health_reason::sync_failed : health_reason::file_replaced;
}

health_reason PoolCore::trouble() const {
  {
    std::lock_guard lock(mutex_);
    if (loss_) return reason_of(*loss_);
  }
  const auto recently = config_.clock->now() - found_recently;
  if (engine_->missed_leader_since(recently)) return health_reason::no_leader;
  if (writer_.found_disk_full_since(recently)) return health_reason::disk_full;
  if (writer_.full() || (readers_ && readers_->full())) return health_reason::queue_full;
  return engine_->log_unattended_since(recently) ? health_reason::log_unattended : health_reason::none;
}

DatabaseStats PoolCore::stats() const {
  DatabaseStats result;
  result.name = config_.name;
  {
    std::lock_guard lock(mutex_);
    result.state = state_;
    if (loss_) result.last_error = loss_->text;
  }
  result.writer = writer_.stats();
  if (readers_) result.readers = readers_->stats();
  if (result.last_error.empty()) result.last_error = writer_.last_error();
  if (result.last_error.empty() && readers_) result.last_error = readers_->last_error();
  result.holders = holders();
  const EngineFacts facts = engine_->facts();
  result.wal_bytes = facts.wal_bytes;
  result.file_bytes = facts.file_bytes;
  result.schema_version = schema_version_;
  result.opening_time = opening_time_;
  result.migrations_applied = migrated_.versions.size();
  result.migration_time = migrated_.elapsed;
  result.vulnerable_sqlite = facts.vulnerable_sqlite;
  result.backups = backups_.stats();
  result.checkpoints = facts.checkpoints;
  return result;
}

}  // namespace statehouse::detail
