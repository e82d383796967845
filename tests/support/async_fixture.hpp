#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "statehouse/app_state.hpp"
#include "statehouse/testing/log_capture.hpp"
#include "statehouse/testing/manual_clock.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {

namespace asio = boost::asio;

/// What a spawned coroutine has come to. A handle: copies mean the same coroutine.
template <class T>
class Task {
 public:
  bool done() const noexcept { return state_->completions != 0; }
  /// How often the coroutine has completed; anything but 0 and 1 is a bug.
  int completions() const noexcept { return state_->completions; }
  bool failed() const noexcept { return state_->error != nullptr; }

  /// What it returned, moved out; throws what it threw.
  T get() {
    if (state_->completions != 1)
      throw std::logic_error("the coroutine has completed " + std::to_string(state_->completions) + " times");
    if (state_->error != nullptr) std::rethrow_exception(state_->error);
    if constexpr (!std::is_void_v<T>) return std::move(*state_->value);
  }

  /// The code of the boost::system::system_error it threw, success when it returned.
  boost::system::error_code code() {
    try {
      static_cast<void>(get());
    } catch (const boost::system::system_error& error) {
      return error.code();
    }
    return {};
  }
  std::string text() {
    try {
      static_cast<void>(get());
    } catch (const std::exception& error) {
      return error.what();
    }
    return {};
  }

  /// Emits the coroutine's cancellation signal, on this thread.
  void cancel(asio::cancellation_type type = asio::cancellation_type::terminal) { state_->signal.emit(type); }

 private:
  friend class Spawner;
  struct State {
    int completions = 0;
    std::exception_ptr error;
    std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>> value;
    asio::cancellation_signal signal;
  };
  explicit Task(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

/// The awaitable that `work` is, or that it makes if it is a function.
template <class Work>
auto begin_work(Work& work) {
  if constexpr (std::is_invocable_v<Work&>) {
    return work();
  } else {
    return std::move(work);
  }
}

/// Starts coroutines and remembers how they end. Must outlive the contexts they run on.
class Spawner {
 public:
  /// `work` is an awaitable or a function that makes one; the function is kept as long as the coroutine lives. All
  /// cancellation types reach the coroutine.
  template <class Executor, class Work>
  auto operator()(const Executor& executor, Work work) {
    if constexpr (std::is_invocable_v<Work&>) {
      return start<typename std::invoke_result_t<Work&>::value_type>(executor, std::move(work));
    } else {
      return start<typename Work::value_type>(executor, std::move(work));
    }
  }

 private:
  template <class T, class Executor, class Work>
  Task<T> start(const Executor& executor, Work work) {
    auto state = std::make_shared<typename Task<T>::State>();
    kept_.push_back(state);
    asio::co_spawn(executor, drive<T>(state.get(), std::move(work)), Completion<T>{state.get()});
    return Task<T>(std::move(state));
  }

  /// A handler with a cancellation slot and no executor of its own: with one, co_spawn would post a cancellation
  /// instead of delivering it at the very moment the test wants it.
  template <class T>
  struct Completion {
    using cancellation_slot_type = asio::cancellation_slot;
    cancellation_slot_type get_cancellation_slot() const noexcept { return state->signal.slot(); }
    void operator()(std::exception_ptr error) const {
      ++state->completions;
      state->error = std::move(error);
    }
    typename Task<T>::State* state;
  };

  template <class T, class Work>
  static asio::awaitable<void> drive(typename Task<T>::State* state, Work work) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if constexpr (std::is_void_v<T>) {
      co_await begin_work(work);
    } else {
      T value = co_await begin_work(work);
      state->value.emplace(std::move(value));
    }
  }

  std::vector<std::shared_ptr<void>> kept_;  // signals and results: a coroutine refers to its own
};

/// An AppState on a fresh directory that does nothing by itself: callers run on `io`, SQLite on `db`, time on `clock`,
/// and all three move only when the test moves them, on the test's thread. So every interleaving is forced.
///
/// One step is one handler: of `io`, the resumption of one caller; of `db`, one turn of a connection (or one opening).
class SteppedApp {
 public:
  /// `data_dir`, `database_executor`, `clock` and `logger` are given by this class.
  explicit SteppedApp(AppStateOptions options = {}) {
    options.data_dir = dir.path();
    options.database_executor = db.get_executor();
    options.clock = clock;
    options.logger = log.logger();
    state.emplace(io.get_executor(), std::move(options));
  }
  explicit SteppedApp(PoolOptions pool) : SteppedApp(with(std::move(pool))) {}

  /// Starts a coroutine on `io`; it does not run yet.
  template <class Work>
  auto start(Work work) {
    return spawner_(io.get_executor(), std::move(work));
  }
  /// Starts a coroutine on `io` and runs it to its first suspension.
  template <class Work>
  auto spawn(Work work) {
    auto task = start(std::move(work));
    while (step(io)) {
    }
    return task;
  }
  /// Starts a coroutine and steps everything until it is done; throws what it throws. A coroutine that does not end
  /// while there is nothing left to do, or not within `limit` steps, fails the test.
  template <class Work>
  auto run(Work work, int limit = 100'000) {
    auto task = start(std::move(work));
    return finish(task, limit);
  }
  template <class T>
  T finish(Task<T>& task, int limit = 100'000) {
    for (int steps = 0; !task.done(); ++steps) {
      if (steps == limit) FAIL("the coroutine is not done after " << limit << " steps");
      if (!step(io) && !step(db)) FAIL("the coroutine waits, and nothing is left to do");
    }
    return task.get();
  }

  /// One handler; false when none is ready.
  static bool step(asio::io_context& context) {
    if (context.stopped()) context.restart();
    return context.poll_one() != 0;
  }
  bool step_io() { return step(io); }
  bool step_db() { return step(db); }
  /// Until nothing is ready on either side.
  void settle(int limit = 100'000) {
    for (int steps = 0; step(io) || step(db); ++steps)
      if (steps == limit) FAIL("still busy after " << limit << " steps");
  }
  /// `operation`, which ends, once, when everything else has been done.
  template <class T>
  Task<T> ended(asio::awaitable<T> operation) {
    auto task = spawn(std::move(operation));
    settle();
    CHECK(task.completions() == 1);
    return task;
  }
  template <class T>
  boost::system::error_code code(asio::awaitable<T> operation) {
    return ended(std::move(operation)).code();
  }

  Pool open(std::string name = "test") {
    run(state->init());
    return run(state->db_instances.get_pool(name));
  }

  /// So many at once, so that they are there.
  void open_readers(const Pool& pool, std::size_t count) {
    std::vector<ReaderLease> leases;
    while (leases.size() < count) leases.push_back(run(pool.acquire(reader)));
    for (ReaderLease& lease : leases) lease.release();  // in this order they are handed out again
  }

  testing::TempDir dir;
  testing::LogCapture log;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();

 private:
  static AppStateOptions with(PoolOptions pool) {
    AppStateOptions options;
    options.pool = std::move(pool);
    return options;
  }

  Spawner spawner_;  // outlives the contexts

 public:
  asio::io_context db;  // handlers left here are destroyed, not run
  asio::io_context io;
  std::optional<AppState> state;  // goes first
};

}  // namespace statehouse::test
