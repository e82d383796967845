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
#include "state/name_rules.hpp"
#include "state/open_waiter.hpp"
#include "state/surroundings.hpp"
#include "state/visit.hpp"
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
  /// What patterns say of it, as far as nothing is said of itself; not once it is opened.
  void follow(const NameRules& rules);

  std::filesystem::path path() const;
  /// The open pool; null when there is none.
  std::shared_ptr<PoolCore> open_pool() const;
  /// The same for a caller of get_pool: throws when there will never be one any more.
  std::shared_ptr<PoolCore> find() const;
  void wait_for_open(OpenWaiter& waiter);
  void note_resumed() const;  ///< By the caller that has waited.
  /// Has it opened, migrated and closed again, on a database thread, but for one that is open or being opened, which
  /// stays so. Who comes to use it meanwhile waits. Given here, or to `done`, which must not throw. Throws like `find`.
  std::optional<Visit> visit(OnVisited done);
  bool forgettable() const;  ///< Nothing is known of it that its name does not say.
  bool mentioned() const;    ///< By more than migrate_all, which has found its file.
  /// One that was asked for.
  std::optional<DatabaseStats> stats() const;
  DatabaseHealth health() const;
  // For StatsSums, one at a time.
  bool shown_alone() const noexcept { return shown_alone_; }
  bool left_sums() const noexcept { return left_sums_; }
  void show_alone(DatabaseStats& settled);
  void add_to(StatsSummary& summary, DatabaseStats& settled);
  void settle(DatabaseStats& settled);  ///< It is about to be closed, and nobody will ask it any more.
  bool asked_for() const;               ///< By get_pool.
  bool awake() const;
  std::uint64_t operations() const;
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
  /// After `refuse`; nothing when it was never open.
  std::optional<ShutdownReport::Database> report() const;
  /// After `ending::removal`: whether there was a file. Throws Error when that could not be removed. One that is not
  /// gone yet is not removed any more, which is an error as well.
  bool take_removed();

 private:
  using Strand = asio::strand<asio::any_io_executor>;
  enum class state { absent, opening, ready, failed, gone };
  struct Outcome {
    std::shared_ptr<PoolCore> core{};
    std::exception_ptr failure{};
    std::optional<Visit> visit{};  // if it was that; then there is no pool
  };

  void begin_on_strand();
  void begin();
  void wait_for_connection();
  void give_up_waiting();
  void open(ConnectionPermit permit);
  bool closes_alone() const;
  Migrator watched(const Migrator& migrator);
  Outcome try_open(PoolConfig pool, const std::optional<Migrator>& migrator,
                   const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit) const;
  Outcome try_visit(PoolConfig pool, const std::optional<Migrator>& migrator,
                    const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit) const;
  void publish();
  void on_wake();
  DatabaseStats share(DatabaseStats now) const;
  database_state state_of_sleeper() const;
  static void tell(std::vector<OnVisited> visitors, const Outcome& outcome);
  void refuse_visitors();
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
  bool was_asked_for() const;
  void check_unopened(const char* verb) const;
  database_state shown() const noexcept;
  health_reason reason() const noexcept;
  bool end_visit();
  std::shared_ptr<PoolCore> usable() const;
  void show_to_this_thread() const;
  const SharedOptions& options() const noexcept { return options_ ? options_ : surroundings_->config.pool; }

  const std::shared_ptr<Surroundings> surroundings_;
  const DatabaseName name_;
  const std::string text_;  // the name's
  const std::shared_ptr<OpenWaiters> waiters_;

  bool shown_alone_ = false;
  bool left_sums_ = false;
  std::mutex share_mutex_;                  // before the other
  bool summed_ = false;                     // it was in a sum
  bool settled_ = false;                    // what it has counted is in the sum for good, until it wakes
  std::unique_ptr<DatabaseStats> counted_;  // what is so since it woke

  mutable std::mutex mutex_;
  std::optional<Strand> strand_;           // until it is closed: it may not outlive its executor
  std::shared_ptr<Database> predecessor_;  // until it is gone
  state state_ = state::absent;
  bool wanted_ = false;  // somebody has asked, and the strand has not run since
  std::optional<Migrator> migrator_;
  SharedOptions options_;      // in place of everybody's
  bool own_migrator_ = false;  // not by a pattern
  bool own_options_ = false;
  std::vector<OnVisited> visitors_;
  bool visiting_ = false;                           // the opening is for them alone
  std::shared_ptr<Interrupter> interrupter_;        // while an opening has begun and is not published
  bool asked_for_connection_ = false;               // the budget, and has not been granted it
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
