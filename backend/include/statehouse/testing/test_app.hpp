#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <exception>
#include <future>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "statehouse/app_state.hpp"
#include "statehouse/testing/database_template.hpp"
#include "statehouse/testing/log_capture.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::testing {

namespace asio = boost::asio;

/// An AppState as a server has it, for one test: real time, database threads of its own (two, unless the options say
/// more), coroutines on threads of its own, its databases in a fresh directory, its log in memory. At the end it is
/// closed and the directory removed; when an exception ends the test, as a failed assertion of Catch2 or doctest is
/// one, the directory is kept, and standard error has its path.
///
/// Thread-safety: one thread, but for what is in it. Lifetime: outlives what it runs.
class TestApp {
 public:
  /// An AppState that is initialised. `data_dir` and, unless there is one, `logger` are given by this class. Coroutines
  /// run on `threads` threads. Throws Error.
  explicit TestApp(AppStateOptions options = {}, std::size_t threads = 1);
  ~TestApp() {
    if (std::uncaught_exceptions() > failures_) keep();
  }
  TestApp(const TestApp&) = delete;
  TestApp& operator=(const TestApp&) = delete;

  /// The database `name` is a copy of this one. Before its first `get_pool`. Throws Error, std::system_error.
  void add(std::string_view name, const DatabaseTemplate& database) {
    state->db_instances.add_migrator(name, database.migrator());
    if (!pool_options_.in_memory) return database.copy_to(state->db_instances.db_path(name));
    PoolOptions options = pool_options_;
    options.connection = database.filling(std::move(options.connection));
    state->db_instances.configure(name, std::move(options));
  }

  /// The pool of `name`, which is opened if it is not open. Throws what `get_pool` does.
  Pool open(std::string_view name = "test");
  /// The same of a copy of this database.
  Pool open(std::string_view name, const DatabaseTemplate& database) {
    add(name, database);
    return open(name);
  }

  /// Runs an awaitable, or a function that makes one, to its end. Gives what it gives, throws what it throws.
  template <class Work>
  auto run(Work work) {
    return spawn(std::move(work)).get();
  }

  /// Starts it, and lets the test go on. A function is kept until its coroutine has ended.
  template <class Work>
  auto spawn(Work work) {
    if constexpr (std::is_invocable_v<Work&>) {
      return start<typename std::invoke_result_t<Work&>::value_type>(std::move(work));
    } else {
      return start<typename Work::value_type>(std::move(work));
    }
  }

  /// The directory stays, for a framework whose failures do not throw: `if (HasFailure()) app.keep();` in GoogleTest.
  void keep() noexcept { dir.keep(); }

  TempDir dir;                    ///< Of the databases.
  LogCapture log;                 ///< What was logged.
  asio::thread_pool io;           ///< Where coroutines run.
  std::optional<AppState> state;  ///< Goes first.

 private:
  template <class T, class Work>
  std::future<T> start(Work work) {
    std::promise<T> promise;
    std::future<T> result = promise.get_future();
    asio::co_spawn(io, drive<T>(std::move(work), std::move(promise)), asio::detached);  // drive() catches all
    return result;
  }
  template <class T, class Work>
  static asio::awaitable<void> drive(Work work, std::promise<T> promise) {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await begin_work(work);
        promise.set_value();
      } else {
        T value = co_await begin_work(work);
        promise.set_value(std::move(value));
      }
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }
  template <class Work>
  static auto begin_work(Work& work) {
    if constexpr (std::is_invocable_v<Work&>) {
      return work();
    } else {
      return std::move(work);
    }
  }

  const PoolOptions pool_options_;
  const int failures_;
};

inline TestApp::TestApp(AppStateOptions options, std::size_t threads)
    : io(threads), pool_options_(options.pool), failures_(std::uncaught_exceptions()) {
  if (options.database_threads == 0) options.database_threads = 2;
  if (options.logger == nullptr) options.logger = log.logger();
  options.data_dir = dir.path();
  state.emplace(io.get_executor(), std::move(options));
  run(state->init());
}

inline Pool TestApp::open(std::string_view name) {
  return run(state->db_instances.get_pool(name));
}

}  // namespace statehouse::testing
