#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/engine.hpp"
#include "file/file_trace.hpp"
#include "lane/lane.hpp"
#include "pool/awake_pools.hpp"
#include "pool/change_feed.hpp"
#include "pool/past_engines.hpp"
#include "pool/pool_config.hpp"
#include "pool/reading_gate.hpp"
#include "pool/scheduled_backups.hpp"
#include "pool/schema.hpp"
#include "statehouse/health.hpp"

namespace statehouse::detail {

/// As health tells of it.
health_reason reason_of(const Loss& loss) noexcept;

/// One database behind all Pool handles: the engine, the writer's lane, the readers' lane, and their end. The one place
/// that chooses an engine.
///
///     opening -> awake -> falling asleep -> asleep -> waking -> awake
///                             '-> awake       ^---------'
///
/// A pool that nobody uses sleeps: it has neither connections nor an engine. Whoever comes waits in a lane, and has it
/// wake; from then on connections are opened as they are needed. The migrations are looked at again only where somebody
/// else may have had the file.
///
/// In `pool_mode::single` there is one lane, which serves both kinds of operation. Where the database is read only the
/// writer's has never a connection, and nothing comes to it.
class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  /// Creates, opens, migrates, on the calling thread. Throws and leaves nothing open when any step fails or
  /// `interrupter` stops it. `permit` is for its first connection.
  static std::shared_ptr<PoolCore> open(PoolConfig config, const Migrator* migrator,
                                        const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit = {});
  /// The same for nobody: closes it again.
  static MigrationReport bring_up_to_date(PoolConfig config, const Migrator* migrator,
                                          const std::shared_ptr<Interrupter>& interrupter,
                                          ConnectionPermit permit = {});
  explicit PoolCore(PoolConfig config, const Migrator* migrator = nullptr);
  ~PoolCore();

  void submit(Operation& operation);
  /// One who is told of commits from now on, by `ChangeListener::wait`.
  std::shared_ptr<ChangeListener> listen(std::vector<std::string> tables);
  /// A query on the calling thread, if a reader is idle; false when it has to be submitted.
  bool run_inline(Operation& operation);

  /// Refuses everything from now on, with `error`; calls `on_closed` once when all connections are
  /// closed: on a database thread, or within `close` or `close_now`. Later calls are ignored.
  void close(std::exception_ptr error, std::function<void()> on_closed);
  /// After `close`: stops what runs, rolls back, takes leases back.
  void interrupt() noexcept;
  /// After `close`: closes on the calling thread whatever nobody uses any more; true when that was all.
  bool close_now();
  /// When closed: what could not be finished, and where it is; else nothing.
  std::string unfinished() const;

  /// Once a second, by one thread, which it does not keep: long leases, chores, backups, losses, sleep.
  void look_after();
  /// Else there is nothing to look after until `PoolConfig::on_rest` says that it wakes.
  bool wants_looking_after() const { return !asleep() || loss() || backups_; }
  bool asleep() const;
  /// It did when it was closed: there was nothing to close.
  bool ended_asleep() const;
  /// For AwakePools.
  AwakePools::Place& place_among_awake() noexcept { return place_; }
  Clock::time_point last_use() const;
  /// Falls asleep on the calling thread, a database thread, if nobody uses it and it may. False when no connection was
  /// closed.
  bool sleep_now();
  /// Closes a connection that nobody uses on the calling thread, a database thread; false when there is none.
  bool close_idle_connection();

  /// For which the pool has failed.
  std::optional<Loss> loss() const;

  MigrationReport applied() const { return schema_.applied(); }
  DatabaseStats stats() const;
  std::uint64_t operations() const;  ///< That ran.
  std::vector<Holder> holders() const;
  /// Those, and what the pool itself does: what keeps it from being closed.
  std::vector<Holder> at_work() const;
  /// What is wrong with the open pool as far as its operations have found; `none` when that is nothing.
  health_reason trouble() const;
  const PoolConfig& config() const noexcept { return config_; }

 private:
  static std::shared_ptr<PoolCore> open_alone(PoolConfig config, const Migrator* migrator,
                                              const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit);
  LaneContext make_context();
  std::unique_ptr<ScheduledBackups> make_backups();
  std::unique_ptr<Engine> make_engine(const std::shared_ptr<Interrupter>& interrupter, bool unchanged);
  void open_engine(const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit& permit);
  bool closing() const;
  void begin_writing(const std::shared_ptr<Interrupter>& interrupter);
  void begin_reading(const std::shared_ptr<Interrupter>& interrupter);
  std::string release_engine();
  std::unique_ptr<Connection> connect(connection_role role, const std::shared_ptr<Interrupter>& interrupter);
  template <class Open>
  auto open_with_room(Open open) const -> decltype(open());
  void before_next(Session& writer);
  bool before_close_alone(Session& writer);
  void work_beside();
  std::optional<Loss> close_if_lost();
  void on_parked();
  bool parked() const;

  enum class rest { opening, awake, falling_asleep, asleep, waking };

  void queue_chores();
  void look_for_others();
  void rest_if_quiet();
  void end_rest() noexcept;
  bool begin(rest wanted);
  bool begin_to_sleep();
  void fall_asleep();
  void wake();
  void wake_up(ConnectionPermit permit);
  void give_way();
  void give_way_if_wanted();
  void rest_until_needed();
  void tell_rest(bool asleep) const;
  bool backup_due() const { return backups_ && backups_->due(); }
  void tell_unwakeable(const std::exception_ptr& failure);

  /// Of the engine, where there is one; else nothing.
  template <class F>
  auto of_engine(F f) const -> decltype(f(std::declval<Engine&>())) {
    std::lock_guard lock(engine_mutex_);
    if (engine_ == nullptr) return {};
    return f(*engine_);
  }
  EngineFacts facts_so_far() const;

  const PoolConfig config_;
  Schema schema_;
  ChangeFeed changes_;             // outlives the engine
  std::optional<FileTrace> left_;  // the file, when the pool fell asleep
  // Changes only while no lane has a connection; who has none may use it under the mutex, and does not keep that.
  mutable std::mutex engine_mutex_;
  std::unique_ptr<Engine> engine_;  // outlives the connections; null while asleep
  PastEngines past_;
  Clock::duration opening_time_{0};
  LaneContext context_;
  Lane writer_;
  std::optional<Lane> readers_;
  // The periodic check's.
  std::weak_ptr<void> idle_chore_;        // queued or running
  std::weak_ptr<void> look_chore_;        // the same
  std::atomic<bool> missed_look_{false};  // no connection was idle
  Clock::time_point optimized_at_;
  const std::unique_ptr<ScheduledBackups> backups_;  // null where none are scheduled
  ReadingGate gate_;
  AwakePools::Place place_;  // under their mutex

  mutable std::mutex mutex_;
  rest rest_ = rest::opening;
  bool begun_ = false;                   // a thread falls asleep or wakes, and is not only to
  bool wake_again_ = false;              // somebody came for it while it fell asleep
  bool gives_way_ = false;               // is to close what nobody uses
  std::shared_ptr<Interrupter> waking_;  // while that
  database_state state_ = database_state::ready;
  std::optional<Loss> loss_;
  std::string unfinished_;
  bool turn_asked_ = false;
  bool in_turn_ = false;  // the engine works beside the writer
  bool closing_ = false;
  bool ended_asleep_ = false;
  bool taken_ = false;              // somebody closes the connections, or has
  Clock::time_point work_began_{};  // any of these
  std::function<void()> on_closed_;
};

}  // namespace statehouse::detail
