#include "statehouse/app_state.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "engine/vfs_option.hpp"
#include "pool/checkpoint_options.hpp"
#include "pool/cluster_options.hpp"
#include "pool/read_only_options.hpp"
#include "pool/shared_options.hpp"
#include "state/database_threads.hpp"
#include "state/registry.hpp"

namespace statehouse {
namespace {

constexpr auto destructor_limit = std::chrono::seconds(2);
/// Where the system sets no limit that matters.
constexpr std::size_t most_connections = 1 << 20;
constexpr ShutdownOptions without_grace{.grace = std::chrono::milliseconds(0),
                                        .deadline = std::chrono::milliseconds(0)};

unsigned thread_count(unsigned wanted) {
  return wanted != 0 ? wanted : std::max(4U, std::thread::hardware_concurrency());
}

/// A connection of a database that is alone takes up to four descriptors: the file, its log, the log's index, and one
/// for a moment. As much is left for the rest of the process, its sockets for instance.
std::size_t connection_limit(std::size_t wanted) {
  if (wanted != 0) return wanted;
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return most_connections;
  return std::clamp<std::size_t>(limit.rlim_cur / 4, 1, most_connections);
}

/// With its thread, so that nobody fails later for want of it.
std::shared_ptr<Clock> running_clock() {
  auto clock = make_steady_clock();
  clock->make_timer([] {});
  return clock;
}

std::shared_ptr<detail::Registry> make_registry(AppStateOptions options, detail::DatabaseExecutor executor) {
  check_prefix(options.dev_prefix);
  detail::check_shared_cluster(options.pool);
  detail::check_checkpoint(options.pool);
  detail::check_read_only(options.pool);
  detail::check_vfs(options.pool.connection);
  return std::make_shared<detail::Registry>(
      detail::RegistryConfig{.data_dir = std::move(options.data_dir),
                             .prefix = std::move(options.dev_prefix),
                             .pool = detail::share_options(std::move(options.pool)),
                             .max_open_connections = connection_limit(options.max_open_connections),
                             .executor = std::move(executor),
                             .clock = options.clock != nullptr ? std::move(options.clock) : running_clock(),
                             .logger = options.logger != nullptr ? std::move(options.logger) : spdlog::default_logger(),
                             .observer = std::move(options.observer)});
}

/// What a shutdown has not come to the end of.
std::string still_at_work(const ShutdownReport& report) {
  std::string text;
  for (const auto& database : report.databases)
    for (const Holder& holder : database.holders)
      text += (text.empty() ? "" : ", ") + holder.verb + " at " + holder.where;
  return text.empty() ? "a database is opened or closed" : "there still runs " + text;
}

}  // namespace

AppState::AppState(asio::any_io_executor executor, AppStateOptions options)
    : executor_(std::move(executor)),
      threads_(
          std::make_unique<detail::DatabaseThreads>(options.database_executor, thread_count(options.database_threads))),
      logger_(options.logger != nullptr ? options.logger : spdlog::default_logger()),
      registry_(make_registry(std::move(options), threads_->executor())),
      db_instances(registry_) {}

AppState::~AppState() {
  if (registry_->forked()) {
    // Neither the threads nor the connections are this process's; waiting for the one or closing the other would hang
    // or drop the parent's locks.
    static_cast<void>(threads_.release());
    static_cast<void>(new std::shared_ptr(std::move(registry_)));
    return;
  }
  if (!registry_->idle()) logger_->warn("AppState destroyed while databases are open: co_await shutdown() first");
  const auto run = registry_->shut_down(without_grace);
  if (!run->close_now(destructor_limit)) {
    logger_->error("AppState destroyed while {}: its connection and thread are left to it",
                   still_at_work(run->report()));
    static_cast<void>(threads_.release());
    return;
  }
  threads_.reset();
}

asio::awaitable<void> AppState::init() {
  return registry_->init();
}

asio::awaitable<ShutdownReport> AppState::shutdown(ShutdownOptions options) {
  return db_instances.shutdown(options);
}

}  // namespace statehouse
