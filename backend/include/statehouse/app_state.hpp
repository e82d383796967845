#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "statehouse/clock.hpp"
#include "statehouse/db_instances.hpp"

namespace spdlog {
class logger;
}

namespace statehouse {

class Observer;

namespace detail {
class DatabaseThreads;
}
#pragma GCC visibility push(default)

/// What an AppState is built with.
struct AppStateOptions {
  std::filesystem::path data_dir = "data";    ///< Created by `init()`, mode 0700.
  std::string dev_prefix{};                   ///< "dev" makes `get_pool("x")` use `dev_x.db`; empty for production.
  unsigned database_threads = 0;              ///< Threads that run SQLite; 0 means one per core, at least 4.
  asio::any_io_executor database_executor{};  ///< Run SQLite here instead of on threads of our own; it may block.
  PoolOptions pool{};                         ///< For every database.
  /// Most connections at once, over all databases; those in memory do not count, and those that a backup or a
  /// checkpoint opens for itself come on top. At the limit the database that nobody has used for the longest time is put
  /// to sleep; where all are in use, whoever needs one more waits in turn, within his timeout. 0 means a quarter of the
  /// limit of open files (`ulimit -n`, the soft one, when the AppState is made): with up to three files for each
  /// connection, a quarter is left for sockets and the like. A database that does not sleep (see
  /// `PoolOptions::idle_close`) keeps its writer, which counts: have more than those. So do connections to a cluster.
  std::size_t max_open_connections = 0;
  std::shared_ptr<spdlog::logger> logger{};   ///< spdlog's default logger when empty.
  std::shared_ptr<Clock> clock{};             ///< The steady clock when empty.
  std::shared_ptr<Observer> observer{};       ///< Told of each operation; empty: nobody is, and it costs nothing.
};

/// The state of one service: its databases and the threads that run them. The object a server embeds, next to its
/// io_context.
///
/// Thread-safety: every member from any thread; construction and destruction by one.
/// Lifetime: destroy it before the execution contexts whose coroutines use it and that of `database_executor`, and
/// `co_await shutdown()` before that. The destructor without a shutdown says so in the log, interrupts what runs, rolls
/// back and closes on the destroying thread within about two seconds. A closure that still runs then cannot be stopped:
/// the log says so, and the context of the coroutine that awaits it must live until it has returned. The destructor
/// does nothing at all in a forked child.
class AppState {
 public:
  /// Starts the database threads and that of the clock; touches no file. Throws Error, and leaves no thread: with
  /// `errc::invalid_name` for a bad prefix, `errc::invalid_option` for a `pool.cluster` that cannot be; in the system
  /// category (EAGAIN), with what to do, when the system lets no more threads be started, as under the pids limit of a
  /// container.
  explicit AppState(asio::any_io_executor executor, AppStateOptions options = {});
  ~AppState();
  AppState(const AppState&) = delete;
  AppState& operator=(const AppState&) = delete;

  /// Makes the data directory, also where all databases are in clusters, so that a power loss does not take it, and
  /// checks that it can be written, on a database thread. Idempotent; after a failure it may be called again. Errors:
  /// Error in the system category, with the path and what to do, or `errc::closed`.
  asio::awaitable<void> init();

  /// DbInstances::shutdown.
  asio::awaitable<ShutdownReport> shutdown(ShutdownOptions options = {});

  /// The executor given to the constructor.
  asio::any_io_executor get_executor() const noexcept { return executor_; }
  /// Where everything is logged: the one of the options, or spdlog's default.
  spdlog::logger& logger() const noexcept { return *logger_; }

 private:
  asio::any_io_executor executor_;
  std::unique_ptr<detail::DatabaseThreads> threads_;
  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<detail::Registry> registry_;

 public:
  /// The databases, by name.
  DbInstances db_instances;
};

}  // namespace statehouse
#pragma GCC visibility pop
