#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "closed_loop.hpp"
#include "system.hpp"

namespace statehouse::bench {

/// `co_await on_threads(threads, f)`: runs `f()` on the pool, and the coroutine goes on where it was, with the result.
template <class F, class Result = std::invoke_result_t<F&>>
boost::asio::awaitable<Result> on_threads(boost::asio::thread_pool& threads, F& f) {
  namespace asio = boost::asio;
  const auto start = [&](auto handler) {
    auto work = asio::make_work_guard(handler);
    asio::post(threads, [&f, handler = std::move(handler), work = std::move(work)]() mutable {
      std::exception_ptr error;
      Result result{};
      try {
        result = f();
      } catch (...) {
        error = std::current_exception();
      }
      asio::post(work.get_executor(), [handler = std::move(handler), error, result = std::move(result)]() mutable {
        std::move(handler)(error, std::move(result));
      });
    });
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, Result)>(start,
                                                                                               asio::use_awaitable);
}

/// What a server does with a blocking pool: its calls go to a thread pool. `Connections` has `read(key)`, which gives
/// an optional string, and `write(key, value)`, both from any thread.
template <class Connections>
class ThreadPoolSystem final : public System, AsyncStore {
 public:
  explicit ThreadPoolSystem(const DatabaseFile& database) : connections_(database), threads_(pool_size()) {}
  ~ThreadPoolSystem() override { threads_.join(); }

  Measurement run(const Load& load) override { return run_closed_loop(io_, *this, load); }

 private:
  boost::asio::awaitable<std::optional<std::string>> read(const Key& key) override {
    auto call = [&] { return connections_.read(key); };
    co_return co_await on_threads(threads_, call);
  }
  boost::asio::awaitable<void> write(const Key& key, const std::string& value) override {
    auto call = [&] {
      connections_.write(key, value);
      return true;
    };
    co_await on_threads(threads_, call);
  }

  Connections connections_;
  boost::asio::io_context io_{1};
  boost::asio::thread_pool threads_;
};

}  // namespace statehouse::bench
