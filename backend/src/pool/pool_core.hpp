#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "file/file.hpp"
#include "lane/lane.hpp"
#include "pool/wal_keeper.hpp"

namespace statehouse {
class Migrator;
}

namespace statehouse::detail {

struct PoolConfig {
  std::string name;
  std::filesystem::path path;  ///< Absolute and canonical but for the file name; ":memory:" when in memory.
  PoolOptions options;
  asio::any_io_executor executor;  ///< Runs SQLite.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<spdlog::logger> logger;
};

/// The open connections of one database behind all Pool handles: the writer's lane, the readers' lane, and their end.
///
/// In `pool_mode::single` there is one lane, which serves both kinds of request.
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

  /// Refuses everything from now on, with `error`; calls `on_closed` once, on a database thread, when all connections
  /// are closed. Later calls are ignored.
  void close(std::exception_ptr error, std::function<void()> on_closed);
  /// After `close`: stops what runs, rolls back, takes leases back.
  void interrupt() noexcept;
  /// After `close`: closes on the calling thread whatever nobody uses any more; true when that was all.
  bool close_now();
  /// Called by a lane whose last connection came back.
  void lane_parked();

  /// Marks the pool failed when the file is not the one that was opened; true when all is well.
  bool check_file();
  void report_long_leases();
  /// Queues a `PRAGMA optimize` behind what waits for the writer; nobody waits for it.
  void optimize();
  /// Once a second: when nothing was written for a while, queues a checkpoint that cuts the write-ahead log.
  void checkpoint_if_idle();
  /// The writer's, between two operations.
  void keep_wal(Session& writer);
  /// After each use of the writer.
  bool wal_is_due(const Session& writer) noexcept { return wal_ && wal_->due(writer); }

  DatabaseStats stats() const;
  std::vector<Holder> holders() const;
  const PoolConfig& config() const noexcept { return config_; }
  bool forked() const noexcept;
  void refuse_fork(Operation& operation) const;
  /// False when the path leads to another file, or none, since the pool was opened.
  bool file_in_place() const noexcept;

 private:
  void open_connections(const Migrator* migrator, std::shared_ptr<Interrupter> interrupter);
  std::unique_ptr<Connection> connect(connection_role role, const std::shared_ptr<Interrupter>& interrupter) const;
  void migrate(Connection& connection, const Migrator& migrator);
  bool parked() const;

  const PoolConfig config_;
  const unsigned generation_;  // of forks
  std::optional<FileClaim> claim_;
  std::optional<std::int64_t> schema_version_;
  Lane writer_;
  std::optional<Lane> readers_;
  std::optional<WalKeeper> wal_;         // none in memory
  std::weak_ptr<void> idle_checkpoint_;  // queued or running; the periodic check's

  mutable std::mutex mutex_;
  database_state state_ = database_state::ready;
  std::string failure_;
  bool closing_ = false;
  bool taken_ = false;  // somebody closes the connections, or has
  std::function<void()> on_closed_;
};

}  // namespace statehouse::detail
