#include "statehouse/db_instances.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "pool/pool_access.hpp"
#include "state/errors.hpp"
#include "state/migrate_all_run.hpp"
#include "state/registry.hpp"

namespace statehouse {
namespace {

asio::awaitable<Pool> ready(std::shared_ptr<detail::PoolCore> core) {
  co_return detail::PoolAccess::make<Pool>(std::move(core));
}

asio::awaitable<Pool> open(std::shared_ptr<detail::Registry> registry, std::optional<DatabaseName> name,
                           CallOptions options, std::string invalid) {
  const auto database = registry->to_open(name ? *name : DatabaseName::parse_or_throw(invalid));
  if (auto core = database->find()) co_return detail::PoolAccess::make<Pool>(std::move(core));
  detail::OpenWaiter waiter(options);
  auto start = [&] { database->wait_for_open(waiter); };
  co_await detail::suspend(waiter, start);
  auto core = waiter.take();
  database->note_resumed();
  co_return detail::PoolAccess::make<Pool>(std::move(core));
}

asio::awaitable<MigrateAllReport> bring_up_to_date(std::shared_ptr<detail::Registry> registry,
                                                   detail::NamePattern pattern, MigrateAllOptions options) {
  if (registry->forked()) throw detail::forked_error();
  detail::MigrateAllRun run(std::move(registry), std::move(pattern), std::move(options));
  auto start = [&] { run.start(); };
  co_await detail::suspend(run, start);
  co_return run.take();
}

/// Begins a run, waits for its end and tells of it. Also in a coroutine that is cancelled meanwhile, or was before.
template <class Begin, class Tell>
auto run_to_the_end(Begin begin, Tell tell) -> asio::awaitable<decltype(tell(*begin()))> {
  const std::shared_ptr<detail::ClosingRun> run = begin();
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  detail::ClosingWaiter waiter;
  auto start = [&] { run->wait(waiter); };
  co_await detail::suspend(waiter, start);
  co_await asio::this_coro::throw_if_cancelled(throwing);
  co_return tell(*run);
}

/// The same of one database, of which nothing is remembered afterwards that nobody needs.
template <class Tell>
auto end_one(const std::shared_ptr<detail::Registry>& registry, const DatabaseName& name, detail::ending why,
             ShutdownOptions options, Tell tell) {
  return run_to_the_end([=] { return registry->close(name, why, options); },
                        [=](const detail::ClosingRun& run) {
                          registry->forget(name);
                          return tell(run);
                        });
}

}  // namespace

bool ShutdownReport::clean() const noexcept {
  return std::ranges::all_of(databases,
                             [](const Database& database) { return database.closed && database.failure.empty(); });
}

DbInstances::DbInstances(std::shared_ptr<detail::Registry> registry) noexcept : registry_(std::move(registry)) {}

void DbInstances::add_migrator(std::string_view name, Migrator migrator) {
  if (detail::NamePattern::is_pattern(name))
    return registry_->add_migrator(detail::NamePattern::parse_or_throw(name), std::move(migrator));
  registry_->add_migrator(DatabaseName::parse_or_throw(name), std::move(migrator));
}

void DbInstances::configure(std::string_view name, PoolOptions options) {
  if (detail::NamePattern::is_pattern(name))
    return registry_->configure(detail::NamePattern::parse_or_throw(name), std::move(options));
  registry_->configure(DatabaseName::parse_or_throw(name), std::move(options));
}

asio::awaitable<MigrateAllReport> DbInstances::migrate_all(std::string_view pattern, MigrateAllOptions options) const {
  return bring_up_to_date(registry_, detail::NamePattern::parse_or_throw(pattern), std::move(options));
}

asio::awaitable<Pool> DbInstances::get_pool(std::string_view name, CallOptions options) const {
  if (auto core = registry_->find_open(name)) return ready(std::move(core));
  const auto parsed = DatabaseName::parse(name);
  return open(registry_, parsed, options, parsed ? std::string() : std::string(name));
}

std::optional<Pool> DbInstances::try_get_pool(std::string_view name) const {
  if (auto core = registry_->find_open(name)) return detail::PoolAccess::make<Pool>(std::move(core));
  const auto parsed = DatabaseName::parse_or_throw(name);
  try {
    auto core = registry_->find(parsed);
    return core != nullptr ? std::optional<Pool>(detail::PoolAccess::make<Pool>(std::move(core))) : std::nullopt;
  } catch (const Error& error) {
    if (error.code() == errc::forked_process) throw;
    return std::nullopt;  // closed, failed or not initialised: not open
  }
}

std::filesystem::path DbInstances::db_path(std::string_view name) const {
  return registry_->path_of(DatabaseName::parse_or_throw(name));
}

std::vector<std::string> DbInstances::names() const {
  return registry_->names();
}

std::vector<DatabaseStats> DbInstances::stats() const {
  return registry_->stats();
}

StatsSummary DbInstances::stats_summary(std::size_t named) const {
  return registry_->stats_summary(named);
}

Health DbInstances::health() const {
  return registry_->health();
}

asio::awaitable<ShutdownReport> DbInstances::close(std::string_view name, ShutdownOptions options) const {
  return end_one(registry_, DatabaseName::parse_or_throw(name), detail::ending::close, options,
                 [](const detail::ClosingRun& run) { return run.report(); });
}

asio::awaitable<bool> DbInstances::remove(std::string_view name, ShutdownOptions options) const {
  return end_one(registry_, DatabaseName::parse_or_throw(name), detail::ending::removal, options,
                 [](const detail::ClosingRun& run) { return run.take_removed(); });
}

asio::awaitable<ShutdownReport> DbInstances::shutdown(ShutdownOptions options) const {
  return run_to_the_end(
      [registry = registry_, options] {
        if (registry->forked())
          throw Error(errc::forked_process, "the parent's databases are not this process's to close");
        return registry->shut_down(options);
      },
      [](const detail::ClosingRun& run) { return run.report(); });
}

}  // namespace statehouse
