#pragma once

#include <boost/asio/strand.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pool/pool_core.hpp"
#include "state/errors.hpp"
#include "state/open_waiter.hpp"
#include "state/surroundings.hpp"
#include "statehouse/db_instances.hpp"

namespace statehouse::detail {

/// One database, from its first mention until it is closed; what is opened after that is its successor.
///
///     absent -> opening -> ready -> gone
///                 |  ^       '----> failed (its file is lost) -> gone
///                 v  |
///               failed (could not be opened: the next caller tries again)
///
/// Creation is serialised by a strand over the database executor: `begin` and `publish` run on it, and nothing else
/// takes a database to opening, and from there to ready or failed. The opening in between blocks, and so runs beside
/// the strand. It does not begin before the predecessor is gone. What ends a database does not wait for a thread: a
/// lost file, and whatever has it closed, after which the strand is not needed any more and may never run again.
///
/// Under the mutex is what others read at any moment. No handler, no logger and nothing slow runs under it.
class Database : public std::enable_shared_from_this<Database> {
 public:
  /// While the executor runs.
  Database(std::shared_ptr<Surroundings> surroundings, const DatabaseName& name);
  /// Of the same name, with the same settings: for when that one is gone.
  std::shared_ptr<Database> make_successor();
  /// Null once that is gone, and what came before it.
  std::shared_ptr<Database> predecessor();

  /// Throws Error with `errc::not_supported` for a database of a cluster, whose file is not here.
  void check_removable() const;

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

  /// It is to be closed: it is not opened any more. Nobody is told yet. May be called again, with another reason.
  /// False when it is gone, else `on_gone` is called once, when all is done.
  bool refuse(ending why, Clock::time_point began, std::function<void()> on_gone);
  /// After `refuse`: tells who waits, and the pool. An opening that runs is closed when it is over.
  void close();
  /// After `close`: stops the opening, or what runs on the pool.
  void interrupt();
  /// After `close`: closes on the calling thread what nobody uses any more.
  void close_now();
  bool is_idle() const;  ///< Neither open nor being opened.
  bool is_gone() const;
  bool is_unopened() const;  ///< Nor was it ever.
  bool is_plain() const;     ///< It has no settings of its own.
  /// After `refuse`; nothing when it was never open.
  std::optional<ShutdownReport::Database> report() const;
  /// After `ending::removal`: whether there was a file. Throws Error when that could not be removed. One that is not
  /// gone yet is not removed any more, which is an error as well.
  bool take_removed();

 private:
  using Strand = asio::strand<asio::any_io_executor>;
  enum class state { absent, opening, ready, failed, gone };
  struct Outcome {
    std::shared_ptr<PoolCore> core;
    std::exception_ptr failure;
  };

  void begin_on_strand();
  void begin();
  void wait_for_connection();
  void give_up_waiting();
  void open(ConnectionPermit permit);
  Migrator watched(const Migrator& migrator);
  Outcome try_open(PoolConfig config, const Migrator* migrator, const std::shared_ptr<Interrupter>& interrupter,
                   ConnectionPermit permit) const;
  void publish();
  void lose(const Loss& loss);
  void note_rest(bool asleep);
  void close_pool();
  void on_closed();
  bool wait_for_predecessor(const std::function<void()>& told);
  bool tell_when_gone(const std::function<void()>& told);
  void remove_when_alone();
  void post_removal();
  void remove_file();
  void end();

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
  std::optional<Strand> strand_;           // until it is closed: it may not outlive its executor
  std::shared_ptr<Database> predecessor_;  // until it is gone
  state state_ = state::absent;
  bool wanted_ = false;  // somebody has asked, and the strand has not run since
  std::optional<Migrator> migrator_;
  std::optional<PoolOptions> options_;              // in place of everybody's
  std::shared_ptr<Interrupter> interrupter_;        // while an opening has begun and is not published
  std::unique_ptr<Clock::Timer> connection_timer_;  // while it waits for a connection of the budget
  std::optional<RunningMigration> migration_;       // that the opening has come to
  std::optional<Outcome> outcome_;                  // of an opening, until it is published
  std::shared_ptr<PoolCore> core_;                  // from the moment it was published, for ever
  std::optional<Loss> loss_;                        // for which it has failed
  std::string last_error_;                          // while failed; of an opening that the shutdown has stopped, too
  std::optional<ending> ending_;
  Clock::time_point end_began_{};
  std::optional<Clock::time_point> closed_at_;
  std::string unfinished_;  // of the pool, when it is closed
  std::vector<std::function<void()>> on_gone_;
  bool told_to_close_ = false;  // the pool
  bool interrupted_ = false;
  enum class removal { unwanted, wanted, begun } removal_ = removal::unwanted;
  bool removed_ = false;
  std::exception_ptr removal_failure_;
};

}  // namespace statehouse::detail
