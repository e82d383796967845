#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/interrupter.hpp"
#include "file/backup_series.hpp"
#include "pool/pool_config.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// Makes the backups of one pool when they are due. A connection of their own reads, for which in WAL mode nobody
/// waits, in slices on the database threads: each is a turn of `PoolConfig::backup_turns`, so that the backups of all
/// databases together have one thread, and whatever waits for that has its turn after each.
///
///     idle -> waiting -> working -> idle
///                 ^---------'
///
/// Thread-safety: all functions, from any thread. The run belongs to the thread that has made it `working`.
class ScheduledBackups {
 public:
  using Open = std::function<std::unique_ptr<Connection>(const std::shared_ptr<Interrupter>&)>;

  static bool wanted(const PoolConfig& config);

  /// Of a pool that wants them. `open` opens a reader; `on_stopped` is called on a database thread when `stop` has
  /// ended a run. `config` outlives this.
  ScheduledBackups(const PoolConfig& config, Open open, std::function<void()> on_stopped);
  ~ScheduledBackups();

  /// The pool serves, and `owner` keeps this alive. Does not block.
  void begin(std::weak_ptr<void> owner);
  /// Begins one when it is time. Does not block.
  void begin_if_due();
  /// It is time, and none is at it.
  bool due() const;
  /// None begins until `resume`; false, and nothing has changed, when one is at it.
  bool pause();
  void resume();
  /// The one that is due cannot be made; it is tried again later.
  void note_failure(const std::exception_ptr& error);
  /// None is begun any more, and one that runs comes to its end, without a backup; one that waits is undone on a
  /// database thread.
  void stop() noexcept;
  /// After `stop`: one that waits for a thread is undone on the calling one.
  void abandon() noexcept;
  bool idle() const;
  /// One that runs, as who has a connection: `running` while that reads. Nothing when none runs.
  std::optional<Holder> holder() const;
  BackupStats stats() const;

 private:
  struct Run;
  struct Running {
    std::string at;  // a file, or at first the directory
    Clock::time_point began;
    bool reads;  // the database still, not the copy
  };
  enum class state { idle, waiting, working };

  void post();
  void work();
  bool advance();
  bool is_due() const;
  bool due_by_now();
  void finish();
  void note_running(std::string at, bool reads);
  void note_made(std::uint64_t bytes);

  const PoolConfig& config_;
  const Open open_;
  const std::function<void()> on_stopped_;
  const std::shared_ptr<Interrupter> interrupter_;
  const BackupSeries series_;
  std::weak_ptr<void> owner_;
  std::unique_ptr<Run> run_;
  bool looked_ = false;  // for what earlier processes have made

  mutable std::mutex mutex_;
  BackupStats stats_;
  std::optional<Running> running_;
  Clock::time_point due_{};
  state state_ = state::idle;
  bool paused_ = false;
  bool stopped_ = false;
};

}  // namespace statehouse::detail
