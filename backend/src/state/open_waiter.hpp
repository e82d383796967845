#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <mutex>
#include <string>

#include "state/errors.hpp"
#include "statehouse/clock.hpp"
#include "statehouse/detail/suspension.hpp"
#include "statehouse/options.hpp"

namespace statehouse::detail {

class OpenWaiters;
class PoolCore;

/// A caller of get_pool that waits for an opening.
class OpenWaiter final : public Suspension, public boost::intrusive::list_base_hook<> {
 public:
  explicit OpenWaiter(CallOptions options) noexcept : timeout_(options.timeout.value_or(TimeLimit())) {}

  /// Resumes the caller; not while it is in a list.
  void finish(std::shared_ptr<PoolCore> core, std::exception_ptr error) noexcept;
  /// The outcome, once it is resumed.
  std::shared_ptr<PoolCore> take();

 private:
  friend class OpenWaiters;
  void on_cancel(asio::cancellation_type type) noexcept override;

  const TimeLimit timeout_;      // 0: none
  OpenWaiters* list_ = nullptr;  // set before it waits
  std::uint64_t id_ = 0;         // while it waits; under the list's mutex
  std::unique_ptr<Clock::Timer> timer_;
  std::shared_ptr<PoolCore> core_;
  std::exception_ptr error_;
};

/// Who waits for the opening of one database. Has a mutex of its own, because cancellation and timeouts are answered at
/// once, also while no thread is free to run the strand.
class OpenWaiters : public std::enable_shared_from_this<OpenWaiters> {
 public:
  using List = boost::intrusive::list<OpenWaiter>;

  OpenWaiters(std::string database, std::shared_ptr<Clock> clock)
      : database_(std::move(database)), clock_(std::move(clock)) {}

  void add(OpenWaiter& waiter);
  bool empty() const;
  void cancel(OpenWaiter& waiter) noexcept;
  /// All of them: from here on they can neither be cancelled nor expire.
  List take() noexcept;
  /// Tells all of them that the database is closed, with an exception for each.
  void refuse(ending why) noexcept;
  /// Resumes all; the error is theirs alone by then.
  static void finish(List taken, std::shared_ptr<PoolCore> core, std::exception_ptr error) noexcept;

 private:
  void expire(std::uint64_t id);

  const std::string database_;
  const std::shared_ptr<Clock> clock_;
  mutable std::mutex mutex_;
  List list_;
  std::uint64_t last_id_ = 0;
};

}  // namespace statehouse::detail
