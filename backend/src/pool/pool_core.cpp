#include "pool/pool_core.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/connection_access.hpp"
#include "file/fork.hpp"
#include "pool/cluster_options.hpp"

namespace statehouse::detail {
namespace {

PoolConfig normalised(PoolConfig config) {
  if (config.turns == nullptr) config.turns = std::make_shared<TurnQueue>(config.executor);
  if (config.backup_turns == nullptr) config.backup_turns = std::make_shared<TurnQueue>(config.executor);
  return config;
}

/// No lane has a connection for it.
Error read_only_error(const PoolConfig& config, operation_verb verb) {
  return {errc::write_on_reader,
          std::string("the database was opened read_only, and ") + to_string(verb) + " is of the writer",
          {config.name, {}}};
}

}  // namespace

PoolCore::PoolCore(PoolConfig config, const Migrator* migrator)
    : config_(normalised(std::move(config))),
      schema_(config_, migrator),
      context_(make_context()),
      writer_(context_, connection_role::writer, 1,
              [this](const auto& interrupter) {
                auto connection = connect(connection_role::writer, interrupter);
                engine_->begin_service(session_of(*connection));
                return connection;
              }),
      optimized_at_(config_.clock->now()),
      backups_(make_backups()),
      gate_(readers_, backups_.get()) {
  if (config_.options->mode == pool_mode::single) return;
  readers_.emplace(context_, connection_role::reader, config_.options->readers,
                   [this](const auto& interrupter) { return connect(connection_role::reader, interrupter); });
}

PoolCore::~PoolCore() {
  if (config_.awake != nullptr) config_.awake->remove(*this);
  // Only an opening that failed comes here with connections; the readers must still go first.
  if (readers_) readers_->close_connections();
  writer_.close_connections();
}

/// Null where none are scheduled.
std::unique_ptr<ScheduledBackups> PoolCore::make_backups() {
  if (!ScheduledBackups::wanted(config_)) return nullptr;
  return std::make_unique<ScheduledBackups>(
      config_, [this](const auto& interrupter) { return connect(connection_role::reader, interrupter); },
      [this] { on_parked(); });
}

LaneContext PoolCore::make_context() {
  return {.name = config_.name,
          .options = config_.options.get(),
          .executor = config_.executor,
          .clock = config_.clock,
          .logger = config_.logger,
          .observer = config_.observer,
          .budget = config_.budget(),
          .owner = {},
          .generation = fork_generation(),
          .due = [this](const Session& writer) { return engine_->due(writer); },
          .before_next = [this](Session& writer) { before_next(writer); },
          .before_close = [this](Session& writer) { engine_->before_close(writer); },
          .before_close_alone = [this](Session& writer) { return before_close_alone(writer); },
          .on_parked = [this] { on_parked(); },
          .wake = [this] { wake(); },
          .on_wanted = [this] { give_way(); }};
}

bool PoolCore::closing() const {
  std::lock_guard lock(mutex_);
  return closing_;
}

void PoolCore::submit(Operation& operation) {
  const bool reads = operation.request().role == connection_role::reader;
  if (!reads && config_.options->read_only && !context_.forked() && !closing())
    return operation.refuse(std::make_exception_ptr(read_only_error(config_, operation.request().verb)));
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
    if (!std::exchange(closing_, true)) end_rest();
  }
  if (over) {
    if (on_closed) on_closed();
    return;
  }
  changes_.close();
  if (backups_) backups_->stop();  // first: none begins once all are parked
  if (readers_) readers_->close(error);
  writer_.close(error);
  if (asleep()) {
    close_now();  // there is nothing to close
  } else {
    on_parked();
  }
}

/// What no thread has begun is not done any more: there may be none. Under the mutex.
void PoolCore::end_rest() noexcept {
  ended_asleep_ = rest_ == rest::asleep;
  if (begun_) return;
  if (rest_ == rest::falling_asleep) rest_ = rest::awake;
  if (rest_ == rest::waking) rest_ = rest::asleep;
}

void PoolCore::interrupt() noexcept {
  if (readers_) readers_->interrupt();
  writer_.interrupt();
  std::lock_guard lock(mutex_);
  if (waking_ != nullptr) waking_->request(stop_reason::shutdown);
}

bool PoolCore::parked() const {
  {
    std::lock_guard lock(mutex_);
    if (in_turn_ || rest_ == rest::waking || rest_ == rest::falling_asleep) return false;
  }
  return writer_.parked() && (!readers_ || readers_->parked()) && (!backups_ || backups_->idle());
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
    if (closing_ || rest_ != rest::awake) return;
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
  if (backups_) backups_->abandon();
  if (!parked()) return false;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(taken_, true)) return state_ == database_state::closed;
    work_began_ = config_.clock->now();
  }
  if (config_.awake != nullptr) config_.awake->remove(*this);
  if (readers_) readers_->close_connections();
  writer_.close_connections();
  std::string unfinished = release_engine();
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

/// Fails and closes the pool when the database is lost, and says why; nothing when all is well. From any thread.
std::optional<Loss> PoolCore::close_if_lost() {
  auto loss = of_engine([](const Engine& engine) { return engine.loss(); });
  {
    std::lock_guard lock(mutex_);
    if (closing_ || loss_) return loss_;
    if (!loss) return std::nullopt;
    state_ = database_state::failed;
    loss_ = loss;
  }
  config_.logger->error("database '{}': {}: restart the service", config_.name, loss->text);
  close(std::make_exception_ptr(Error(loss->code, loss->text, {config_.name, {}})), {});
  interrupt();
  return loss;
}

std::optional<Loss> PoolCore::loss() const {
  std::lock_guard lock(mutex_);
  return loss_;
}

std::string PoolCore::unfinished() const {
  std::lock_guard lock(mutex_);
  return unfinished_;
}

}  // namespace statehouse::detail
