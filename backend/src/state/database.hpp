#pragma once

#include <boost/asio/strand.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "pool/pool_core.hpp"
#include "state/open_waiter.hpp"
#include "state/surroundings.hpp"
#include "statehouse/db_instances.hpp"

namespace statehouse::detail {

/// One database, from its first mention until it is closed.
///
///     absent -> opening -> ready -> gone
///                 |  ^       '----> failed (its file is lost) -> gone
///                 v  |
///               failed (could not be opened: the next caller tries again)
///
/// Creation is serialised by a strand over the database executor: `begin` and `publish` run on it, and nothing else
/// takes a database to opening, and from there to ready or failed. The opening in between blocks, and so runs beside
/// the strand. What ends a database does not wait for a thread: a lost file, and the shutdown, after which the strand
/// is not needed any more and may never run again.
///
/// Under the mutex is what others read at any moment. No handler, no logger and nothing slow runs under it.
class Database : public std::enable_shared_from_this<Database> {
 public:
  /// While the executor runs.
  Database(std::shared_ptr<Surroundings> surroundings, const DatabaseName& name);

  // Before the first get_pool, or after one that failed; else `already_open`.
  void set_migrator(Migrator migrator);
  void set_options(PoolOptions options);

  std::filesystem::path path() const;
  /// The open pool; null when there is none.
  std::shared_ptr<PoolCore> open_pool() const;
  /// The same for a caller of get_pool: throws when there will never be one any more.
  std::shared_ptr<PoolCore> find() const;
  void wait_for_open(OpenWaiter& waiter);
  /// One that was asked for.
  std::optional<DatabaseStats> stats() const;
  DatabaseHealth health() const;
  /// Once a second, by one thread, which it does not keep.
  void look_after();
  /// Else `Surroundings::maintenance` is told when it is awake again.
  bool wants_looking_after() const;

  /// The shutdown has begun: nothing is opened any more. Nobody is told yet. False when there is nothing to close, else
  /// `on_gone` is called once, when all is closed.
  bool refuse(Clock::time_point began, std::function<void()> on_gone);
  /// After `refuse`: tells who waits, and the pool. An opening that runs is closed when it is over.
  void close();
  /// After `close`: stops the opening, or what runs on the pool.
  void interrupt();
  /// After `close`: closes on the calling thread what nobody uses any more.
  void close_now();
  bool is_idle() const;  ///< Neither open nor being opened.
  /// After `refuse`; nothing when it was never open.
  std::optional<ShutdownReport::Database> report() const;

 private:
  using Strand = asio::strand<asio::any_io_executor>;
  enum class state { absent, opening, ready, failed, gone };
  struct Outcome {
    std::shared_ptr<PoolCore> core;
    std::exception_ptr failure;
  };

  void begin();
  void open();
  Migrator watched(const Migrator& migrator);
  Outcome try_open(PoolConfig config, const Migrator* migrator, const std::shared_ptr<Interrupter>& interrupter) const;
  void publish();
  void lose(const Loss& loss);
  void close_pool();
  void on_closed();

  // Under the mutex.
  void check_unopened(const char* verb) const;
  database_state shown() const noexcept;
  health_reason reason() const noexcept;
  std::shared_ptr<PoolCore> usable() const;
  const PoolOptions& options() const noexcept { return options_ ? *options_ : surroundings_->config.pool; }

  const std::shared_ptr<Surroundings> surroundings_;
  const DatabaseName name_;
  const std::string text_;  // the name's
  const std::shared_ptr<OpenWaiters> waiters_;

  mutable std::mutex mutex_;
  std::optional<Strand> strand_;  // until it is closed: it may not outlive its executor
  state state_ = state::absent;
  bool wanted_ = false;  // somebody has asked, and the strand has not run since
  std::optional<Migrator> migrator_;
  std::optional<PoolOptions> options_;         // in place of everybody's
  std::shared_ptr<Interrupter> interrupter_;   // while an opening has begun and is not published
  std::optional<RunningMigration> migration_;  // that the opening has come to
  std::optional<Outcome> outcome_;             // of an opening, until it is published
  std::shared_ptr<PoolCore> core_;             // from the moment it was published, for ever
  std::optional<Loss> loss_;                   // for which it has failed
  std::string last_error_;                     // while failed; of an opening that the shutdown has stopped, too
  std::optional<Clock::time_point> shutdown_began_;
  std::optional<Clock::time_point> closed_at_;
  std::string unfinished_;  // of the pool, when it is closed
  std::function<void()> on_gone_;
  bool told_to_close_ = false;  // the pool
  bool interrupted_ = false;
};

}  // namespace statehouse::detail
