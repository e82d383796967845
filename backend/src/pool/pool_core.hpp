#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/engine.hpp"
#include "lane/lane.hpp"
#include "pool/pool_config.hpp"
#include "pool/reading_gate.hpp"
#include "pool/scheduled_backups.hpp"
#include "statehouse/health.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::detail {

/// As health tells of it.
health_reason reason_of(const Loss& loss) noexcept;

/// The open connections of one database behind all Pool handles: the engine, the writer's lane, the readers' lane, and
/// their end. The one place that chooses an engine.
///
/// In `pool_mode::single` there is one lane, which serves both kinds of operation.
class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  /// Creates, opens, migrates, on the calling thread. Throws and leaves nothing open when any step fails or
  /// `interrupter` stops it.
  static std::shared_ptr<PoolCore> open(PoolConfig config, const Migrator* migrator,
                                        std::shared_ptr<Interrupter> interrupter);
  explicit PoolCore(PoolConfig config);
  ~PoolCore();

  void submit(Operation& operation);
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

  // Once a second, by one thread.
  /// Fails and closes the pool when the database is lost, and says why; nothing when all is well. From any thread.
  std::optional<Loss> close_if_lost();
  void report_long_leases();
  /// When nothing was written for a while, queues what the engine does then.
  void checkpoint_if_idle();
  /// Queues a `PRAGMA optimize` behind what waits for the writer; nobody waits for it.
  void optimize();
  /// Queues a part of a backup when one is due; nobody waits for it.
  void back_up_if_due();

  DatabaseStats stats() const;
  std::vector<Holder> holders() const;
  /// Those, and what the pool itself does: what keeps it from being closed.
  std::vector<Holder> at_work() const;
  /// What is wrong with the open pool as far as its operations have found; `none` when that is nothing.
  health_reason trouble() const;
  const PoolConfig& config() const noexcept { return config_; }

 private:
  LaneContext make_context();
  std::unique_ptr<Engine> make_engine(const std::shared_ptr<Interrupter>& interrupter) const;
  void open_connections(const Migrator* migrator, const std::shared_ptr<Interrupter>& interrupter);
  std::unique_ptr<Connection> connect(connection_role role, const std::shared_ptr<Interrupter>& interrupter);
  void migrate(Connection& writer, const Migrator& migrator);
  MigrationReport run_migrations(Connection& writer, const Migrator& migrator) const;
  void before_next(Session& writer);
  void work_beside();
  void on_parked();
  bool parked() const;

  const PoolConfig config_;
  std::unique_ptr<Engine> engine_;  // outlives the connections
  std::optional<std::int64_t> schema_version_;
  MigrationReport migrated_;
  Clock::duration opening_time_{0};
  LaneContext context_;
  Lane writer_;
  std::optional<Lane> readers_;
  std::weak_ptr<void> idle_chore_;  // queued or running; the periodic check's
  ScheduledBackups backups_;
  ReadingGate gate_;

  mutable std::mutex mutex_;
  database_state state_ = database_state::ready;
  std::optional<Loss> loss_;
  std::string unfinished_;
  bool turn_asked_ = false;
  bool in_turn_ = false;  // the engine works beside the writer
  bool closing_ = false;
  bool taken_ = false;              // somebody closes the connections, or has
  Clock::time_point work_began_{};  // either
  std::function<void()> on_closed_;
};

}  // namespace statehouse::detail
