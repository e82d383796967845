#include "state/registry.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/deadline.hpp"
#include "file/fork.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::detail {
namespace {

constexpr auto maintenance_interval = std::chrono::seconds(1);
constexpr auto optimize_interval = std::chrono::hours(24);

std::exception_ptr error(errc code, const std::string& message, std::string_view database = {}) {
  return std::make_exception_ptr(Error(code, message, {std::string(database), {}}));
}

std::exception_ptr closed_error(std::string_view database) {
  return error(errc::closed, "shutdown has begun, nothing is reopened", database);
}

/// Runs a function on the executor while the coroutine waits.
class Call final : public Suspension {
 public:
  Call(const asio::any_io_executor& executor, std::function<void()> function)
      : executor_(executor), function_(std::move(function)) {}

  void start() {
    asio::post(executor_, [this] {
      try {
        function_();
      } catch (...) {
        error_ = std::current_exception();
      }
      resume();
    });
  }
  void throw_if_failed() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  void on_cancel(asio::cancellation_type) noexcept override {}

  const asio::any_io_executor executor_;
  const std::function<void()> function_;
  std::exception_ptr error_;
};

/// As `stats` shows it. One that could not be opened is `absent`: the next get_pool tries again.
database_state state_of(Entry::state status) noexcept {
  switch (status) {
    case Entry::state::opening: return database_state::opening;
    case Entry::state::ready: return database_state::ready;
    case Entry::state::gone: return database_state::closed;
    default: return database_state::failed;
  }
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

std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

void OpenWaiter::on_cancel(asio::cancellation_type type) noexcept {
  if (type != asio::cancellation_type::none) registry_.cancel(*this);
}

Registry::Registry(RegistryConfig config) : config_(std::move(config)), generation_(fork_generation()) {}

bool Registry::forked() const noexcept {
  return generation_ != fork_generation();
}

void Registry::check_process(std::string_view database) const {
  if (forked())
    std::rethrow_exception(
        error(errc::forked_process, "called in a forked child: make a new AppState there", database));
}

asio::awaitable<void> Registry::init() {
  check_process();
  const auto self = shared_from_this();  // the AppState may go while a database thread looks at the directory
  {
    std::lock_guard lock(mutex_);
    if (closed_) std::rethrow_exception(closed_error({}));
    if (!directory_.empty()) co_return;
  }
  std::filesystem::path directory;
  Call call(config_.executor, [this, &directory] {
    { std::lock_guard posted(mutex_); }  // the post is over before anybody hears of the end
    directory = prepare_directory(config_.data_dir);
  });
  auto start = [&] {
    std::lock_guard lock(mutex_);
    call.start();
  };
  co_await suspend(call, start);
  call.throw_if_failed();
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) std::rethrow_exception(closed_error({}));
    first = directory_.empty();
    if (first) directory_ = std::move(directory);
  }
  if (first) log_sqlite_version(*config_.logger);
}

void Registry::check_usable() const {
  if (closed_) std::rethrow_exception(closed_error({}));
  if (directory_.empty())
    std::rethrow_exception(error(errc::not_initialised, "await init() before the first get_pool"));
}

Entry& Registry::entry(const DatabaseName& name) {
  if (const auto found = entries_.find(name.view()); found != entries_.end()) return found->second;
  Entry& created = entries_[std::string(name.view())];
  created.name = name.view();
  return created;
}

/// What is still to be opened, to be prepared for that.
Entry& Registry::unopened(const DatabaseName& name, const char* verb) {
  if (closed_) std::rethrow_exception(closed_error(name.view()));
  Entry& target = entry(name);
  if (target.status != Entry::state::absent)
    std::rethrow_exception(
        error(errc::already_open, std::string("call ") + verb + " before the first get_pool", name.view()));
  return target;
}

void Registry::add_migrator(const DatabaseName& name, Migrator migrator) {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  unopened(name, "add_migrator").migrator = std::move(migrator);
}

void Registry::configure(const DatabaseName& name, PoolOptions options) {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  unopened(name, "configure").options = std::move(options);
}

bool Registry::in_memory(const DatabaseName& name) const {
  const auto found = entries_.find(name.view());
  return found != entries_.end() && found->second.options ? found->second.options->in_memory : config_.pool.in_memory;
}

std::filesystem::path Registry::path_of(const DatabaseName& name) const {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  if (in_memory(name)) return ":memory:";
  if (directory_.empty()) std::rethrow_exception(error(errc::not_initialised, "await init() first", name.view()));
  return directory_ / name.file_name(config_.prefix);
}

std::shared_ptr<PoolCore> Registry::find(const DatabaseName& name) const {
  check_process(name.view());
  std::lock_guard lock(mutex_);
  check_usable();
  const auto found = entries_.find(name.view());
  if (found == entries_.end()) return nullptr;
  if (found->second.status == Entry::state::failed)
    std::rethrow_exception(error(errc::file_replaced, found->second.last_error, name.view()));
  return found->second.core;
}

void Registry::wait_for_open(OpenWaiter& waiter) {
  {
    std::lock_guard lock(mutex_);
    Entry& target = entry(waiter.name_);
    if (closed_) {
      waiter.error_ = closed_error(target.name);
    } else if (target.status == Entry::state::ready) {
      waiter.core_ = target.core;  // opened since `find`
    } else if (target.status == Entry::state::failed) {
      waiter.error_ = error(errc::file_replaced, target.last_error, target.name);
    } else {
      waiter.entry_ = &target;
      waiter.id_ = ++next_waiter_;
      target.waiters.push_back(waiter);
      if (const auto limit = waiter.options_.timeout.value_or(std::chrono::milliseconds(0)); limit.count() > 0) {
        waiter.timer_ = config_.clock->make_timer([weak = weak_from_this(), &target, id = waiter.id_] {
          if (const auto self = weak.lock()) self->expire(target, id);
        });
        waiter.timer_->arm(after(config_.clock->now(), limit));
      }
      if (target.status == Entry::state::absent) start_opening(target);
      return;
    }
  }
  waiter.resume();
}

void Registry::cancel(OpenWaiter& waiter) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (waiter.entry_ == nullptr) return;
    waiter.error_ =
        std::make_exception_ptr(Error(boost::system::error_code(ECANCELED, boost::system::system_category()),
                                      "cancelled while the database was being opened", {waiter.entry_->name, {}}));
    auto& waiters = std::exchange(waiter.entry_, nullptr)->waiters;
    waiters.erase(waiters.iterator_to(waiter));
  }
  waiter.resume();
}

void Registry::expire(Entry& target, std::uint64_t id) {
  OpenWaiter* expired = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(target.waiters, id, [](const OpenWaiter& waiter) { return waiter.id_; });
    if (found == target.waiters.end()) return;
    expired = &*found;
    expired->entry_ = nullptr;
    expired->error_ =
        error(errc::acquire_timeout, "the database was not open in time; the opening goes on", target.name);
    target.waiters.erase(found);
  }
  expired->resume();
}

void Registry::start_opening(Entry& target) {
  target.status = Entry::state::opening;
  target.begun = false;
  target.interrupter = std::make_shared<Interrupter>(config_.clock);
  asio::post(config_.executor, [self = shared_from_this(), &target] { self->open(target); });
}

void Registry::open(Entry& target) {
  PoolConfig pool;
  std::optional<Migrator> migrator;
  std::shared_ptr<Interrupter> interrupter;
  {
    std::lock_guard lock(mutex_);
    if (target.status != Entry::state::opening) return;  // shut down before a thread was free
    target.begun = true;
    migrator = target.migrator;
    interrupter = target.interrupter;
    const auto name = DatabaseName::parse_or_throw(target.name);
    pool = {.name = target.name,
            .path = in_memory(name) ? std::filesystem::path(":memory:") : directory_ / name.file_name(config_.prefix),
            .options = target.options.value_or(config_.pool),
            .executor = config_.executor,
            .clock = config_.clock,
            .logger = config_.logger};
  }
  const auto began = config_.clock->now();
  std::shared_ptr<PoolCore> core;
  std::exception_ptr failure;
  try {
    core = PoolCore::open(std::move(pool), migrator ? &*migrator : nullptr, std::move(interrupter));
  } catch (...) {
    failure = std::current_exception();
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(config_.clock->now() - began).count();
  if (core != nullptr) {
    config_.logger->info("database '{}': opened {} in {} ms", target.name, core->config().path.filename().string(),
                         took);
  } else {
    config_.logger->error("database '{}': opening failed after {} ms: {}", target.name, took, text_of(failure));
  }
  opened(target, std::move(core), std::move(failure));
}

void Registry::opened(Entry& target, std::shared_ptr<PoolCore> core, std::exception_ptr failure) {
  boost::intrusive::list<OpenWaiter> waiters;
  bool late = false;
  {
    std::lock_guard lock(mutex_);
    target.interrupter.reset();
    target.core = core;
    target.last_error = failure != nullptr ? text_of(failure) : std::string();
    late = closed_;
    if (core != nullptr) {
      target.status = Entry::state::ready;
      target.optimized_at = config_.clock->now();
      if (!closed_) start_maintenance();
      if (!closed_) open_pools_.publish(target.name, core);
    } else if (!closed_) {
      target.status = Entry::state::absent;
    }
    waiters.swap(target.waiters);
    for (OpenWaiter& waiter : waiters) {
      waiter.entry_ = nullptr;
      waiter.core_ = core;
      waiter.error_ = failure;
    }
    failure = nullptr;  // from here on the error is the waiters' alone
  }
  while (!waiters.empty()) {
    OpenWaiter& waiter = waiters.front();
    waiters.pop_front();
    waiter.resume();
  }
  if (late) core != nullptr ? close(target) : on_closed(target);
}

std::vector<std::string> Registry::names() const {
  check_process();
  std::lock_guard lock(mutex_);
  std::vector<std::string> result;
  for (const auto& [name, target] : entries_)
    if (target.status == Entry::state::ready) result.push_back(name);
  return result;
}

std::vector<DatabaseStats> Registry::stats() const {
  check_process();
  std::vector<DatabaseStats> result;
  std::vector<std::pair<std::size_t, std::shared_ptr<PoolCore>>> open;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, target] : entries_) {
      if (target.status == Entry::state::absent && target.last_error.empty()) continue;  // never asked for
      DatabaseStats stats;
      stats.name = name;
      stats.last_error = target.last_error;
      stats.vulnerable_sqlite = sqlite_version().wal_reset_bug;
      stats.state = state_of(target.status);
      if (target.core != nullptr) open.emplace_back(result.size(), target.core);
      result.push_back(std::move(stats));
    }
  }
  for (const auto& [index, core] : open) {
    const auto state = result[index].state;
    result[index] = core->stats();
    // The pool of a failed database closes by itself, which does not make the database well.
    if (state == database_state::failed) result[index].state = state;
  }
  return result;
}

void Registry::start_maintenance() {
  if (maintenance_ != nullptr) return;
  maintenance_ = config_.clock->make_timer([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->maintain();
  });
  maintenance_->arm(config_.clock->now() + maintenance_interval);
}

/// Once a second, on the clock's thread: looks, but never touches SQLite there.
void Registry::maintain() {
  std::vector<std::pair<Entry*, std::shared_ptr<PoolCore>>> open;
  const auto now = config_.clock->now();
  std::vector<std::shared_ptr<PoolCore>> to_optimize;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    for (auto& [name, target] : entries_) {
      if (target.status != Entry::state::ready) continue;
      open.emplace_back(&target, target.core);
      if (now - target.optimized_at < optimize_interval) continue;
      target.optimized_at = now;
      to_optimize.push_back(target.core);
    }
  }
  for (const auto& core : to_optimize) core->optimize();
  for (const auto& [target, core] : open) {
    core->report_long_leases();
    core->checkpoint_if_idle();
    if (core->check_file()) continue;
    std::lock_guard lock(mutex_);
    if (target->status != Entry::state::ready) continue;
    target->status = Entry::state::failed;
    open_pools_.withdraw(target->name);
    target->last_error = core->stats().last_error;
  }
  std::lock_guard lock(mutex_);
  if (!closed_) maintenance_->arm(config_.clock->now() + maintenance_interval);
}

}  // namespace statehouse::detail
