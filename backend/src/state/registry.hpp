#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/intrusive/list.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "pool/pool_core.hpp"
#include "state/open_pools.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/db_instances.hpp"

namespace statehouse::detail {

struct RegistryConfig {
  std::filesystem::path data_dir;
  std::string prefix;
  PoolOptions pool;
  asio::any_io_executor executor;  ///< Runs SQLite.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<spdlog::logger> logger;
};

class Registry;
struct Entry;

/// For a log line or a status.
std::string text_of(const std::exception_ptr& failure);

/// A caller of get_pool that waits for an opening.
class OpenWaiter final : public Suspension, public boost::intrusive::list_base_hook<> {
 public:
  OpenWaiter(Registry& registry, const DatabaseName& name, CallOptions options) noexcept
      : registry_(registry), name_(name), options_(options) {}

  std::shared_ptr<PoolCore> take() {
    if (error_ != nullptr) std::rethrow_exception(error_);
    return std::move(core_);
  }

 private:
  friend class Registry;
  void on_cancel(asio::cancellation_type type) noexcept override;

  Registry& registry_;
  const DatabaseName name_;
  const CallOptions options_;
  // The registry's, under its mutex.
  Entry* entry_ = nullptr;  // while it waits
  std::uint64_t id_ = 0;
  std::unique_ptr<Clock::Timer> timer_;
  std::shared_ptr<PoolCore> core_;
  std::exception_ptr error_;
};

/// A caller of shutdown. Not cancellable.
class ShutdownWaiter final : public Suspension, public boost::intrusive::list_base_hook<> {
  void on_cancel(asio::cancellation_type) noexcept override {}
};

/// What is known of one database. Created by add_migrator or the first get_pool, never removed.
///
///     absent -> opening -> ready -> gone
///        ^---------'         '----> failed -> gone
struct Entry {
  enum class state { absent, opening, ready, failed, gone };

  std::string name;
  state status = state::absent;
  std::optional<Migrator> migrator;
  std::optional<PoolOptions> options;        // in place of everybody's
  std::shared_ptr<Interrupter> interrupter;  // of the opening
  bool begun = false;                        // the opening runs, not only waits for a thread
  bool interrupted = false;
  std::shared_ptr<PoolCore> core;
  boost::intrusive::list<OpenWaiter> waiters;
  std::string last_error;
  Clock::time_point optimized_at{};
  std::optional<Clock::time_point> closed_at;
};

/// Opens each database once and shuts all of them down. One mutex for the map and the states, which admit one opening
/// at a time; nothing slow, no handler and no logger runs under it.
class Registry : public std::enable_shared_from_this<Registry> {
 public:
  explicit Registry(RegistryConfig config);

  asio::awaitable<void> init();
  void add_migrator(const DatabaseName& name, Migrator migrator);
  void configure(const DatabaseName& name, PoolOptions options);
  /// The open pool, without a lock; null when there is none, for whatever reason.
  std::shared_ptr<PoolCore> find_open(const DatabaseName& name) const noexcept {
    return forked() ? nullptr : open_pools_.find(name.view());
  }
  /// The open pool; null when somebody has to open it. Throws when that is impossible.
  std::shared_ptr<PoolCore> find(const DatabaseName& name) const;
  void wait_for_open(OpenWaiter& waiter);
  void cancel(OpenWaiter& waiter) noexcept;
  std::filesystem::path path_of(const DatabaseName& name) const;
  std::vector<std::string> names() const;
  std::vector<DatabaseStats> stats() const;

  void begin_shutdown(ShutdownOptions options);
  void wait_for_shutdown(ShutdownWaiter& waiter);
  ShutdownReport report() const;

  /// For a destructor: shuts down on this thread, waits at most `limit` of real time for what runs; false when
  /// something still does.
  bool close_now(std::chrono::milliseconds limit);
  bool idle() const;  ///< Nothing is open or opening.
  bool forked() const noexcept;

 private:
  void check_process(std::string_view database = {}) const;
  void check_usable() const;
  Entry& entry(const DatabaseName& name);
  Entry& unopened(const DatabaseName& name, const char* verb);
  bool in_memory(const DatabaseName& name) const;
  void start_opening(Entry& entry);
  void open(Entry& entry);
  void opened(Entry& entry, std::shared_ptr<PoolCore> core, std::exception_ptr error);
  void expire(Entry& entry, std::uint64_t id);
  void close(Entry& entry);
  void on_closed(Entry& entry);
  void on_shutdown_timer();
  void interrupt_all();
  void release_shutdown_waiters(std::unique_lock<std::mutex>& lock);
  bool all_gone() const;
  void start_maintenance();
  void maintain();

  const RegistryConfig config_;
  const unsigned generation_;  // of forks

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::filesystem::path directory_;  // empty until init() is done
  std::map<std::string, Entry, std::less<>> entries_;
  OpenPools open_pools_;  // of the entries that are ready; written under the mutex
  std::uint64_t next_waiter_ = 0;
  std::unique_ptr<Clock::Timer> maintenance_;
  bool closed_ = false;
  bool pools_told_ = false;  // after closed_: every pool that was open has been told to close
  Clock::time_point shutdown_began_{};
  Clock::time_point grace_ends_ = Clock::time_point::max();
  Clock::time_point deadline_ = Clock::time_point::max();
  std::unique_ptr<Clock::Timer> shutdown_timer_;
  boost::intrusive::list<ShutdownWaiter> shutdown_waiters_;
};

}  // namespace statehouse::detail
