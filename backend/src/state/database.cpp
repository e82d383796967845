#include "state/database.hpp"

#include <spdlog/logger.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/deadline.hpp"
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
  if (ending_) throw closed_error(text_, *ending_);
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
  options_ = share_options(std::move(options));
  own_options_ = true;
}

std::filesystem::path Database::path() const {
  std::lock_guard lock(mutex_);
  return surroundings_->path_of(name_, *options());
}

std::shared_ptr<PoolCore> Database::open_pool() const {
  std::lock_guard lock(mutex_);
  return state_ == state::ready ? core_ : nullptr;
}

std::shared_ptr<PoolCore> Database::usable() const {
  if (ending_) throw closed_error(text_, *ending_);
  if (state_ == state::failed && loss_) throw Error(loss_->code, loss_->text, {text_, {}});
  return core_;
}

std::shared_ptr<PoolCore> Database::find() const {
  std::lock_guard lock(mutex_);
  auto core = usable();
  show_to_this_thread();
  return core;
}

void Database::note_resumed() const {
  std::lock_guard lock(mutex_);
  show_to_this_thread();
}

/// Its next look finds it. Under the mutex: whoever finds it asleep, lost or closed withdraws it afterwards.
void Database::show_to_this_thread() const {
  if (state_ == state::ready && !ending_ && !core_->asleep()) surroundings_->open_pools.add(text_, core_);
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

/// When what came before is gone.
void Database::begin_on_strand() {
  const auto executor = surroundings_->config.executor.hold();
  std::optional<Strand> strand;
  {
    std::lock_guard lock(mutex_);
    if (wanted_) strand = strand_;
  }
  if (strand) asio::post(*strand, [self = shared_from_this()] { self->begin(); });
}

/// On the strand.
void Database::begin() {
  if (wait_for_predecessor([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->begin_on_strand();
      }))
    return;
  std::shared_ptr<ConnectionBudget> budget;
  bool asked = false;
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(wanted_, false)) return;  // closed
    state_ = state::opening;
    visiting_ = !visitors_.empty() && waiters_->empty();
    if (!options()->in_memory) budget = surroundings_->awake->budget();
    asked = budget != nullptr && std::exchange(asked_for_connection_, true);  // for an opening that gave up
  }
  const auto self = shared_from_this();
  const auto go_on = [self, budget] { self->open(ConnectionPermit(budget)); };
  if (!asked && (budget == nullptr || budget->acquire(go_on))) {
    surroundings_->config.executor.post(go_on);
  } else {
    wait_for_connection();
  }
}

/// As everybody who waits for one, no longer than the pool's `acquire_timeout`.
void Database::wait_for_connection() {
  std::lock_guard lock(mutex_);
  if (state_ != state::opening || interrupter_ != nullptr) return;  // it is there already
  const auto& clock = surroundings_->config.clock;
  connection_timer_ = clock->make_timer([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->give_up_waiting();
  });
  connection_timer_->arm(deadline(clock->now(), options()->acquire_timeout));
}

void Database::give_up_waiting() {
  const auto executor = surroundings_->config.executor.hold();  // longer than the copy of the strand
  std::optional<Strand> strand;
  {
    std::lock_guard lock(mutex_);
    if (state_ != state::opening || interrupter_ != nullptr || ending_) return;
    const std::string most = std::to_string(surroundings_->awake->budget()->most());
    outcome_ = Outcome{nullptr, std::make_exception_ptr(Error(errc::acquire_timeout,
                                                              "not opened in time: all " + most +
                                                                  " connections of max_open_connections are taken",
                                                              {text_, {}}))};
    if (visiting_) outcome_->visit.emplace();
    interrupter_ = std::make_shared<Interrupter>(surroundings_->config.clock);  // nobody opens it any more
    strand = strand_;
  }
  if (strand) asio::post(*strand, [self = shared_from_this()] { self->publish(); });
}

/// On a database thread, beside the strand.
void Database::open(ConnectionPermit permit) {
  const RegistryConfig& config = surroundings_->config;
  PoolConfig pool;
  std::optional<Migrator> migrator;
  std::shared_ptr<Interrupter> interrupter;
  {
    std::lock_guard lock(mutex_);
    asked_for_connection_ = false;
    if (state_ != state::opening || interrupter_ != nullptr) return;  // closed before, or given up
    connection_timer_.reset();
    interrupter_ = interrupter = std::make_shared<Interrupter>(config.clock);
    if (migrator_) migrator = watched(*migrator_);
    pool = {.name = text_,
            .path = surroundings_->path_of(name_, *options()),
            .options = surroundings_->completed(name_, options()),
            .executor = config.executor,
            .turns = surroundings_->turns,
            .awake = surroundings_->awake,
            .backup_turns = surroundings_->backup_turns,
            .clock = config.clock,
            .logger = config.logger,
            .observer = config.observer,
            .on_rest = [weak = weak_from_this()](bool asleep) {
              if (const auto self = weak.lock()) self->note_rest(asleep);
            }};
  }
  Outcome outcome = visiting_ ? try_visit(std::move(pool), migrator, interrupter, std::move(permit))
                              : try_open(std::move(pool), migrator, interrupter, std::move(permit));
  std::optional<Strand> strand;
  {
    std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    if (!ending_) strand = strand_;
  }
  if (strand) {
    asio::dispatch(*strand, [self = shared_from_this()] { self->publish(); });
  } else {
    publish();
  }
}

/// Somebody has wanted that of this database, which is no failure.
bool Database::closes_alone() const {
  std::lock_guard lock(mutex_);
  return ending_ && *ending_ != ending::shutdown;
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
                                     const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit) const {
  const RegistryConfig& config = surroundings_->config;
  const auto began = config.clock->now();
  const auto took = [&] { return duration_cast<milliseconds>(config.clock->now() - began).count(); };
  Outcome outcome;
  try {
    surroundings_->make_directories(name_, pool);
    outcome.core = PoolCore::open(std::move(pool), migrator ? &*migrator : nullptr, interrupter, std::move(permit));
    config.logger->info("database '{}': opened {} in {} ms", text_, outcome.core->config().place(), took());
  } catch (...) {
    outcome.failure = std::current_exception();
    if (closes_alone()) {
      config.logger->info("database '{}': its opening was stopped after {} ms, as it is closed", text_, took());
    } else {
      config.logger->error("database '{}': opening failed after {} ms: {}", text_, took(), text_of(outcome.failure));
    }
  }
  return outcome;
}

/// On the strand; when it is to be closed, on any thread.
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
    connection_timer_.reset();
    migration_.reset();
    core_ = outcome.core;
    last_error_ = outcome.failure != nullptr ? text_of(outcome.failure) : std::string();
    late = ending_.has_value();
    if (core_ != nullptr) {
      state_ = state::ready;
    } else if (!late) {
      state_ = state::failed;
    } else if (removal_ != removal::unwanted) {
      state_ = state::absent;
    }
    visitors.swap(visitors_);
    if (!late && outcome.visit && end_visit()) again = strand_;
    if (!late && !again) waiters = waiters_->take();
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

void Database::note_rest(bool asleep) {
  if (!asleep) return on_wake();
  std::lock_guard lock(mutex_);
  surroundings_->open_pools.withdraw(text_);
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

}  // namespace statehouse::detail
