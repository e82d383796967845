#pragma once

#include <atomic>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace statehouse::detail {

namespace asio = boost::asio;

/// Threads that run what is posted, first in, first out.
///
/// Not an Asio pool, for what lies between two functions: to put a thread to sleep and to wake it takes longer than
/// most of what is posted here runs. So who has run out of work stays awake for a moment, as long as work has lately
/// come that soon; no more than half of the machine's cores are spent on that. And who went to sleep last is woken
/// first.
///
/// Thread-safety: all but construction and destruction from any thread.
class ThreadPool final : public asio::execution_context {
 public:
  class Executor;

  /// Throws Error, and leaves no thread, when one cannot be started.
  explicit ThreadPool(unsigned count);
  /// Waits until all that was posted has run, and for those who said that they will post (outstanding_work.tracked).
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Executor get_executor() noexcept;

 private:
  struct Task {
    virtual ~Task() = default;
    virtual void run() = 0;
    Task* next = nullptr;
  };
  template <class Function>
  struct TaskOf final : Task {
    template <class From>
    explicit TaskOf(std::in_place_t, From&& from) : function(std::forward<From>(from)) {}
    void run() override { std::move(function)(); }
    Function function;
  };
  struct Thread {
    std::condition_variable wake;
    bool called = false;
    std::thread thread;
  };

  void post(Task* task) noexcept;
  void begin_work() noexcept;
  void end_work() noexcept;
  void join();
  void run(Thread& self);
  Task* next(Thread& self);
  Task* take() noexcept;
  void stay_awake(std::unique_lock<std::mutex>& lock);
  void sleep(Thread& self, std::unique_lock<std::mutex>& lock);
  void call_one(std::unique_lock<std::mutex>& lock) noexcept;
  void call_all() noexcept;
  void note_gap() noexcept;
  bool over() const noexcept { return closing_ && promised_ == 0; }

  const unsigned most_awake_;
  std::mutex mutex_;
  Task* first_ = nullptr;
  Task* last_ = nullptr;
  std::atomic<std::size_t> queued_{0};  // changed under the mutex
  std::size_t promised_ = 0;            // by executors that are tracked
  bool closing_ = false;
  unsigned awake_ = 0;  // with nothing to do
  std::vector<Thread*> asleep_;
  std::atomic<unsigned> calling_{0};  // posts that are about to wake a thread, when the mutex is free again
  std::chrono::steady_clock::time_point idle_since_{};  // when a thread last ran out of work
  std::chrono::steady_clock::duration usual_gap_{};
  std::deque<Thread> threads_;
};

/// Of a ThreadPool: never runs a function on the thread that posts it.
class ThreadPool::Executor {
 public:
  explicit Executor(ThreadPool& pool, bool tracked = false) noexcept : pool_(&pool), tracked_(tracked) {
    if (tracked_) pool_->begin_work();
  }
  Executor(const Executor& other) noexcept : Executor(*other.pool_, other.tracked_) {}
  Executor& operator=(const Executor&) = delete;
  ~Executor() {
    if (tracked_) pool_->end_work();
  }

  ThreadPool& query(asio::execution::context_t) const noexcept { return *pool_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  asio::execution::outstanding_work_t query(asio::execution::outstanding_work_t) const noexcept {
    if (tracked_) return asio::execution::outstanding_work.tracked;
    return asio::execution::outstanding_work.untracked;
  }
  Executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  Executor require(asio::execution::outstanding_work_t::tracked_t) const noexcept { return Executor(*pool_, true); }
  Executor require(asio::execution::outstanding_work_t::untracked_t) const noexcept { return Executor(*pool_); }

  template <class Function>
  void execute(Function&& function) const {
    pool_->post(new TaskOf<std::decay_t<Function>>(std::in_place, std::forward<Function>(function)));
  }

  friend bool operator==(const Executor& a, const Executor& b) noexcept {
    return a.pool_ == b.pool_ && a.tracked_ == b.tracked_;
  }

 private:
  ThreadPool* pool_;
  bool tracked_;
};

inline ThreadPool::Executor ThreadPool::get_executor() noexcept {
  return Executor(*this);
}

}  // namespace statehouse::detail
