#include "statehouse/signals.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

namespace statehouse::detail {
namespace {

using std::chrono::milliseconds;

constexpr ShutdownOptions at_once{.grace = milliseconds(0), .deadline = milliseconds(1000)};

/// True when it was cut short by a signal.
asio::awaitable<bool> drain_until_signal(std::function<asio::awaitable<void>()>& drain, asio::signal_set& signals,
                                         milliseconds limit) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(signals.get_executor(), limit);
  const auto first = co_await (drain() || signals.async_wait(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
  co_return first.index() == 1;
}

}  // namespace

asio::awaitable<ShutdownReport> shutdown_on_signal(AppState& state, std::function<asio::awaitable<void>()> drain,
                                                   ShutdownOptions options) {
  const auto executor = co_await asio::this_coro::executor;
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::use_awaitable);
  const auto began = std::chrono::steady_clock::now();
  if (drain) {
    try {
      if (co_await drain_until_signal(drain, signals, options.grace)) options = at_once;
    } catch (const std::exception& error) {
      state.logger().error("shutdown: draining failed: {}", error.what());
    }
  }
  signals.async_wait([&state, executor](const boost::system::error_code& error, int) {
    if (error) return;
    asio::co_spawn(executor, state.shutdown(at_once), [](std::exception_ptr, const ShutdownReport&) {});
  });
  const auto spent = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
  options.grace = std::max(milliseconds(0), options.grace - spent);
  options.deadline = std::max(milliseconds(0), options.deadline - spent);
  const ShutdownReport report = co_await state.shutdown(options);
  signals.cancel();
  co_return report;
}

}  // namespace statehouse::detail
