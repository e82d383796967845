#include "state/database.hpp"

#include <spdlog/logger.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "state/errors.hpp"

namespace statehouse::detail {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

Database::Database(std::shared_ptr<Surroundings> surroundings, const DatabaseName& name)
    : surroundings_(std::move(surroundings)),
      name_(name),
      text_(name.view()),
      waiters_(std::make_shared<OpenWaiters>(text_, surroundings_->config.clock)),
      strand_(asio::make_strand(*surroundings_->config.executor.hold())) {}

void Database::check_unopened(const char* verb) const {
  if (shutdown_began_) throw closed_error(text_);
  const bool unopened = state_ == state::absent || (state_ == state::failed && core_ == nullptr);
  if (wanted_ || !unopened)
    throw Error(errc::already_open, std::string("call ") + verb + " before the first get_pool", {text_, {}});
}

void Database::set_migrator(Migrator migrator) {
  std::lock_guard lock(mutex_);
  check_unopened("add_migrator");
  migrator_ = std::move(migrator);
  own_migrator_ = true;
}

void Database::set_options(PoolOptions options) {
  std::lock_guard lock(mutex_);
  check_unopened("configure");
  options_ = std::make_shared<const PoolOptions>(std::move(options));
  own_options_ = true;
}

std::filesystem::path Database::path() const {
  std::lock_guard lock(mutex_);
  return surroundings_->path_of(name_, options());
}

std::shared_ptr<PoolCore> Database::open_pool() const {
  std::lock_guard lock(mutex_);
  return state_ == state::ready ? core_ : nullptr;
}

std::shared_ptr<PoolCore> Database::usable() const {
  if (shutdown_began_) throw closed_error(text_);
  if (state_ == state::failed && loss_) throw Error(loss_->code, loss_->text, {text_, {}});
  return core_;
}

std::shared_ptr<PoolCore> Database::find() const {
  std::lock_guard lock(mutex_);
  return usable();
}

void Database::wait_for_open(OpenWaiter& waiter) {
  const auto self = shared_from_this();                         // the waiter, and who owns this, may go at once
  const auto executor = surroundings_->config.executor.hold();  // longer than the copy of the strand
  std::optional<Strand> strand;
  std::shared_ptr<PoolCore> core;
  std::exception_ptr error;
  try {
    std::lock_guard lock(mutex_);
    core = usable();
    if (core == nullptr) {
      waiters_->add(waiter);
      if (state_ == state::opening || std::exchange(wanted_, true)) return;
      strand = strand_;
    }
  } catch (const Error&) {
    error = std::current_exception();
  }
  if (strand) {
    asio::post(*strand, [self] { self->begin(); });
  } else {
    waiter.finish(std::move(core), std::move(error));
  }
}

/// On the strand.
void Database::begin() {
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(wanted_, false)) return;  // shut down
    state_ = state::opening;
    visiting_ = !visitors_.empty() && waiters_->empty();
  }
  surroundings_->config.executor.post([self = shared_from_this()] { self->open(); });
}

/// On a database thread, beside the strand.
void Database::open() {
  const RegistryConfig& config = surroundings_->config;
  PoolConfig pool;
  std::optional<Migrator> migrator;
  std::shared_ptr<Interrupter> interrupter;
  {
    std::lock_guard lock(mutex_);
    if (state_ != state::opening) return;  // shut down before a thread was free
    interrupter_ = interrupter = std::make_shared<Interrupter>(config.clock);
    if (migrator_) migrator = watched(*migrator_);
    pool = {.name = text_,
            .path = surroundings_->path_of(name_, options()),
            .options = surroundings_->completed(name_, options()),
            .executor = config.executor,
            .turns = surroundings_->turns,
            .backup_turns = surroundings_->backup_turns,
            .clock = config.clock,
            .logger = config.logger,
            .observer = config.observer,
            .on_wake = [weak = weak_from_this()] {
              if (const auto self = weak.lock()) self->on_wake();
            }};
  }
  Outcome outcome =
      visiting_ ? try_visit(std::move(pool), migrator, interrupter) : try_open(std::move(pool), migrator, interrupter);
  std::optional<Strand> strand;
  {
    std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    if (!shutdown_began_) strand = strand_;
  }
  if (strand) {
    asio::dispatch(*strand, [self = shared_from_this()] { self->publish(); });
  } else {
    publish();
  }
}

/// The same, telling what `health` says of it as well.
Migrator Database::watched(const Migrator& migrator) {
  MigratorOptions options = migrator.options();
  options.on_begin = [weak = weak_from_this(), told = std::move(options.on_begin)](const MigrationProgress& progress) {
    if (const auto self = weak.lock()) {
      std::lock_guard lock(self->mutex_);
      self->migration_ = {progress.migration.version, progress.index, progress.total};
    }
    if (told) told(progress);
  };
  return migrator.with_options(std::move(options));
}

Database::Outcome Database::try_open(PoolConfig pool, const std::optional<Migrator>& migrator,
                                     const std::shared_ptr<Interrupter>& interrupter) const {
  const RegistryConfig& config = surroundings_->config;
  const auto began = config.clock->now();
  const auto took = [&] { return duration_cast<milliseconds>(config.clock->now() - began).count(); };
  Outcome outcome;
  try {
    surroundings_->make_room(name_, pool);
    outcome.core = PoolCore::open(std::move(pool), migrator ? &*migrator : nullptr, interrupter);
    config.logger->info("database '{}': opened {} in {} ms", text_, outcome.core->config().place(), took());
  } catch (...) {
    outcome.failure = std::current_exception();
    config.logger->error("database '{}': opening failed after {} ms: {}", text_, took(), text_of(outcome.failure));
  }
  return outcome;
}

/// On the strand; when the shutdown has begun, on any thread.
void Database::publish() {
  Outcome outcome;
  OpenWaiters::List waiters;
  std::vector<OnVisited> visitors;
  std::optional<Strand> again;
  bool late = false;
  {
    std::lock_guard lock(mutex_);
    if (!outcome_) return;
    outcome = std::move(*outcome_);
    outcome_.reset();
    interrupter_.reset();
    migration_.reset();
    core_ = outcome.core;
    last_error_ = outcome.failure != nullptr ? text_of(outcome.failure) : std::string();
    late = shutdown_began_.has_value();
    if (core_ != nullptr) {
      state_ = state::ready;
    } else if (!late) {
      state_ = state::failed;
    }
    visitors.swap(visitors_);
    if (!late && outcome.visit && end_visit()) again = strand_;
    if (!late && !again) waiters = waiters_->take();
    if (!late && core_ != nullptr) {
      std::lock_guard one_at_a_time(surroundings_->publishing);
      surroundings_->open_pools.publish(text_, core_);
    }
  }
  tell(std::move(visitors), outcome);
  if (again) return asio::post(*again, [self = shared_from_this()] { self->begin(); });
  if (late) return outcome.core != nullptr ? close_pool() : on_closed();
  if (outcome.core != nullptr) surroundings_->maintenance->watch(weak_from_this());
  OpenWaiters::finish(std::move(waiters), std::move(outcome.core), std::move(outcome.failure));
}

void Database::look_after() {
  const auto core = open_pool();
  if (core == nullptr) return;
  core->look_after();
  if (const auto loss = core->loss()) lose(*loss);
}

bool Database::wants_looking_after() const {
  const auto core = open_pool();
  return core != nullptr && core->wants_looking_after();
}

/// The open pool has lost its file, or a part of it.
void Database::lose(const Loss& loss) {
  std::lock_guard lock(mutex_);
  if (state_ != state::ready) return;
  state_ = state::failed;
  loss_ = loss;
  last_error_ = loss.text;
  surroundings_->open_pools.withdraw(text_);
}

bool Database::refuse(Clock::time_point began, std::function<void()> on_gone) {
  std::lock_guard lock(mutex_);
  shutdown_began_ = began;
  if (std::exchange(wanted_, false) || (state_ == state::opening && interrupter_ == nullptr)) {
    state_ = state::gone;  // waits for a thread; will find that it is not wanted
    closed_at_ = began;
  }
  const bool open = state_ == state::opening || core_ != nullptr;
  if (open) {
    on_gone_ = std::move(on_gone);
  } else {
    strand_.reset();
  }
  return open;
}

void Database::close() {
  waiters_->refuse();
  publish();  // an opening that is over, but the strand has not seen it
  refuse_visitors();
  close_pool();
}

void Database::close_pool() {
  {
    std::lock_guard lock(mutex_);
    if (core_ == nullptr || std::exchange(told_to_close_, true)) return;
  }
  core_->close(std::make_exception_ptr(closed_error(text_)), [self = shared_from_this()] { self->on_closed(); });
}

void Database::on_closed() {
  const auto now = surroundings_->config.clock->now();
  const auto took = now - shutdown_began_.value_or(now);
  if (core_ == nullptr || !core_->ended_asleep())
    surroundings_->config.logger->info("database '{}': closed in {} ms", text_,
                                       duration_cast<milliseconds>(took).count());
  std::string unfinished = core_ != nullptr ? core_->unfinished() : std::string();
  if (!unfinished.empty()) surroundings_->config.logger->error("database '{}': {}", text_, unfinished);
  std::function<void()> on_gone;
  {
    std::lock_guard lock(mutex_);
    state_ = state::gone;
    closed_at_ = now;
    unfinished_ = std::move(unfinished);
    strand_.reset();
    on_gone = std::move(on_gone_);
  }
  on_gone();
}

void Database::interrupt() {
  std::shared_ptr<PoolCore> core;
  {
    std::lock_guard lock(mutex_);
    if (state_ == state::gone) return;
    if (interrupter_ != nullptr) interrupter_->request(stop_reason::shutdown);
    interrupted_ |= interrupter_ != nullptr || (core_ != nullptr && !core_->holders().empty());
    core = core_;
  }
  if (core != nullptr) core->interrupt();
}

void Database::close_now() {
  std::shared_ptr<PoolCore> core;
  {
    std::lock_guard lock(mutex_);
    if (state_ != state::gone) core = core_;
  }
  if (core != nullptr) core->close_now();
}

}  // namespace statehouse::detail
