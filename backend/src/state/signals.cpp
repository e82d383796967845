#include "statehouse/signals.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <memory>

#include "base/deadline.hpp"
#include "state/errors.hpp"
#include "statehouse/app_state.hpp"

namespace statehouse::detail {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;
using Drain = std::function<asio::awaitable<void>()>;

constexpr ShutdownOptions at_once{.grace = milliseconds(0), .deadline = milliseconds(1000)};

/// What has happened since the first signal. Shared with the drain coroutine, which may not end when it is told to;
/// used on one strand.
struct Progress {
  Progress(const asio::any_io_executor& strand, Drain work) : drain(std::move(work)), wake(strand) {}

  const Drain drain;
  bool drained = false;
  std::exception_ptr error;  // of the drain
  asio::cancellation_signal stop;
  SteadyClock::time_point grace_ends;
  SteadyClock::time_point deadline;
  asio::steady_timer wake;  // cancelled when one of these has changed
};

asio::awaitable<void> run_drain(std::shared_ptr<Progress> progress) {
  co_await progress->drain();
}

void start_drain(const asio::any_io_executor& strand, const std::shared_ptr<Progress>& progress) {
  asio::co_spawn(strand, run_drain(progress),
                 asio::bind_cancellation_slot(progress->stop.slot(), [progress](std::exception_ptr error) {
                   progress->drained = true;
                   progress->error = std::move(error);
                   progress->wake.cancel();
                 }));
}

/// A second signal: nobody is waited for any longer.
void hurry_on_signal(asio::signal_set& signals, const std::shared_ptr<Progress>& progress, DbInstances databases) {
  signals.async_wait([progress, databases = std::move(databases)](const boost::system::error_code& error, int) {
    if (error) return;
    const auto now = SteadyClock::now();
    progress->grace_ends = std::min(progress->grace_ends, after(now, at_once.grace));
    progress->deadline = std::min(progress->deadline, after(now, at_once.deadline));
    progress->wake.cancel();
    asio::co_spawn(progress->wake.get_executor(), databases.shutdown(at_once),
                   [](std::exception_ptr, const ShutdownReport&) {});  // the first caller has the report
  });
}

/// `limit` may move while this waits.
asio::awaitable<void> wait_for_drain(Progress& progress, SteadyClock::time_point Progress::*limit) {
  while (!progress.drained && SteadyClock::now() < progress.*limit) {
    progress.wake.expires_at(progress.*limit);
    co_await progress.wake.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<ShutdownReport> run(AppState& state, Drain drain, ShutdownOptions options) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  const auto strand = co_await asio::this_coro::executor;
  asio::signal_set signals(strand, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::use_awaitable);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());

  const auto began = SteadyClock::now();
  const auto progress = std::make_shared<Progress>(strand, std::move(drain));
  progress->deadline = after(began, options.deadline);
  progress->grace_ends = std::min(after(began, options.grace), progress->deadline);
  hurry_on_signal(signals, progress, state.db_instances);
  if (progress->drain) {
    start_drain(strand, progress);
    co_await wait_for_drain(*progress, &Progress::grace_ends);
  } else {
    progress->drained = true;
  }
  if (!progress->drained) {
    state.logger().warn("shutdown: draining is cut short");
    progress->stop.emit(asio::cancellation_type::terminal);
  } else if (progress->error != nullptr) {
    state.logger().error("shutdown: draining failed: {}", text_of(progress->error));
  }
  const auto spent = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began);
  options.grace = std::max(TimeLimit(), TimeLimit(options.grace - spent));
  options.deadline = std::max(TimeLimit(), TimeLimit(options.deadline - spent));
  const ShutdownReport report = co_await state.shutdown(options);
  // What was cut short may have waited for a database, and ends now.
  co_await wait_for_drain(*progress, &Progress::deadline);
  if (!progress->drained) state.logger().error("shutdown: draining has not ended in time and is left to itself");
  signals.cancel();
  co_return report;
}

}  // namespace

asio::awaitable<ShutdownReport> shutdown_on_signal(AppState& state, Drain drain, ShutdownOptions options) {
  const auto strand = asio::make_strand(co_await asio::this_coro::executor);
  auto shutdown = run(state, std::move(drain), options);
  co_return co_await asio::co_spawn(strand, std::move(shutdown), asio::use_awaitable);
}

}  // namespace statehouse::detail
