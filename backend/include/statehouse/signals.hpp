#pragma once

#include <boost/asio/awaitable.hpp>
#include <concepts>
#include <functional>
#include <utility>

#include "statehouse/app_state.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

namespace detail {
asio::awaitable<ShutdownReport> shutdown_on_signal(AppState& state, std::function<asio::awaitable<void>()> drain,
                                                   ShutdownOptions options);
}

/// Waits for SIGINT or SIGTERM, then awaits `drain()`, which stops accepting and finishes what the server is answering,
/// then shuts `state` down and returns its report. `drain` returns `asio::awaitable<void>`, may take up to
/// `options.grace` and is then cancelled (terminal); what it throws is logged. All of it together takes at most
/// `options.deadline`. A second signal escalates: nobody is waited for any longer than a second.
///
/// Executor: the awaiting coroutine's, `drain` in a strand of it. Cancellation: before the first signal, any type.
/// Lifetime: `state` must outlive the call, what `drain` refers to must outlive the drain. That is the call too, unless
/// the drain does not end when it is cancelled; then the log says that it was left to itself. The library installs no
/// signal handler unless this is called.
template <std::invocable Drain>
asio::awaitable<ShutdownReport> shutdown_on_signal(AppState& state, Drain&& drain, ShutdownOptions options = {}) {
  detail::check_closure<Drain>();
  return detail::shutdown_on_signal(state, std::forward<Drain>(drain), options);
}

/// The same for a service that has nothing to drain.
inline asio::awaitable<ShutdownReport> shutdown_on_signal(AppState& state, ShutdownOptions options = {}) {
  return detail::shutdown_on_signal(state, {}, options);
}

}  // namespace statehouse
#pragma GCC visibility pop
