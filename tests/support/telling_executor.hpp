#pragma once

#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <utility>

namespace statehouse::test {

namespace asio = boost::asio;

/// Tells the test that something is being posted to `context`, before it is. Runs nothing inline, also not what is
/// dispatched.
struct TellingExecutor {
  asio::io_context* context;
  std::function<void()>* tell;

  template <class F>
  void execute(F&& f) const {
    (*tell)();
    asio::post(*context, std::forward<F>(f));
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  bool operator==(const TellingExecutor&) const noexcept = default;
};

}  // namespace statehouse::test
