#include "state/thread_pool.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include "base/thread.hpp"

namespace statehouse::detail {
namespace {

using std::chrono::steady_clock;

/// How long a thread stays awake: about what it costs to put it to sleep and to wake it, so that whatever comes, no
/// more than twice the least is paid.
constexpr steady_clock::duration patience = std::chrono::microseconds(50);
/// Of a single gap's weight in what is usual.
constexpr int memory = 4;

}  // namespace

ThreadPool::ThreadPool(unsigned count) : most_awake_(std::thread::hardware_concurrency() / 2) {
  asleep_.reserve(count);
  try {
    for (unsigned i = 1; i <= count; ++i) {
      Thread& self = threads_.emplace_back();
      self.thread = start_thread("database thread " + std::to_string(i) + " of " + std::to_string(count),
                                 [this, &self] { run(self); });
    }
  } catch (...) {
    if (!threads_.empty() && !threads_.back().thread.joinable()) threads_.pop_back();
    join();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  join();
  shutdown();
  destroy();
}

void ThreadPool::join() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    call_all();
  }
  for (Thread& each : threads_) each.thread.join();
  // One that woke by itself may have run the last function before who called it was done with it.
  while (calling_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

void ThreadPool::call_all() noexcept {
  for (Thread* const each : asleep_) {
    each->called = true;
    each->wake.notify_one();
  }
  asleep_.clear();
}

/// With the mutex free: who wakes needs it first of all.
void ThreadPool::call_one(std::unique_lock<std::mutex>& lock) noexcept {
  Thread& thread = *asleep_.back();
  asleep_.pop_back();
  thread.called = true;
  calling_.fetch_add(1, std::memory_order_relaxed);
  lock.unlock();
  thread.wake.notify_one();
  calling_.fetch_sub(1, std::memory_order_release);
}

void ThreadPool::post(Task* task) noexcept {
  std::unique_lock lock(mutex_);
  (first_ == nullptr ? first_ : last_->next) = task;
  last_ = task;
  const std::size_t queued = queued_.load(std::memory_order_relaxed) + 1;
  queued_.store(queued, std::memory_order_release);
  if (queued <= awake_ || asleep_.empty()) return;
  note_gap();
  call_one(lock);
}

void ThreadPool::begin_work() noexcept {
  std::lock_guard lock(mutex_);
  ++promised_;
}

/// All of it under the mutex: with the last one, who destroys the pool goes on.
void ThreadPool::end_work() noexcept {
  std::lock_guard lock(mutex_);
  --promised_;
  if (over()) call_all();
}

void ThreadPool::run(Thread& self) {
  while (const std::unique_ptr<Task> task{next(self)}) task->run();
}

ThreadPool::Task* ThreadPool::next(Thread& self) {
  std::unique_lock lock(mutex_);
  if (first_ != nullptr) return take();
  idle_since_ = steady_clock::now();
  if (awake_ < most_awake_ && usual_gap_ < patience && !closing_) {
    stay_awake(lock);
    if (first_ != nullptr) {
      note_gap();
      return take();
    }
  }
  while (first_ == nullptr) {
    if (over()) return nullptr;
    sleep(self, lock);
  }
  return take();
}

ThreadPool::Task* ThreadPool::take() noexcept {
  Task* const task = first_;
  first_ = task->next;
  queued_.store(queued_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return task;
}

/// Others of this machine that want the core have it.
void ThreadPool::stay_awake(std::unique_lock<std::mutex>& lock) {
  const auto until = idle_since_ + patience;
  ++awake_;
  lock.unlock();
  while (queued_.load(std::memory_order_acquire) == 0 && steady_clock::now() < until) std::this_thread::yield();
  lock.lock();
  --awake_;
}

void ThreadPool::sleep(Thread& self, std::unique_lock<std::mutex>& lock) {
  self.called = false;
  asleep_.push_back(&self);
  self.wake.wait(lock, [&] { return self.called; });
}

/// Long ones count no more than it takes to say that staying awake was in vain.
void ThreadPool::note_gap() noexcept {
  const auto gap = std::min(steady_clock::now() - idle_since_, 2 * patience);
  usual_gap_ += (gap - usual_gap_) / memory;
}

}  // namespace statehouse::detail
