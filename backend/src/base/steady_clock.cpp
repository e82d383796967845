#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/thread.hpp"
#include "statehouse/clock.hpp"

namespace statehouse {
namespace {

using detail::start_thread;

struct Entry;
using Queue = std::multimap<Clock::time_point, std::shared_ptr<Entry>>;

struct Entry {
  explicit Entry(std::function<void()> function) : callback(std::move(function)) {}
  const std::function<void()> callback;
  std::optional<Queue::iterator> place;  // in the queue while armed
};

/// Shared by the clock, its timers and its thread, so that each may go first.
struct Timers {
  std::mutex mutex;
  std::condition_variable changed;
  Queue queue;
  bool stopped = false;

  void run() {
    std::unique_lock lock(mutex);
    while (!stopped) {
      if (queue.empty()) {
        changed.wait(lock);
      } else if (const auto next = queue.begin()->first; next > std::chrono::steady_clock::now()) {
        changed.wait_until(lock, next);
      } else {
        const std::shared_ptr<Entry> entry = remove(*queue.begin()->second);
        lock.unlock();
        entry->callback();
        lock.lock();
      }
    }
  }

  /// Null for one that is not in the queue.
  std::shared_ptr<Entry> remove(Entry& entry) {
    if (!entry.place) return nullptr;
    auto node = queue.extract(*entry.place);
    entry.place.reset();
    return std::move(node.mapped());
  }
};

class SteadyTimer final : public Clock::Timer {
 public:
  SteadyTimer(std::shared_ptr<Timers> timers, std::function<void()> callback)
      : timers_(std::move(timers)), entry_(std::make_shared<Entry>(std::move(callback))) {}
  ~SteadyTimer() override { SteadyTimer::disarm(); }

  void arm(Clock::time_point when) override {
    std::lock_guard lock(timers_->mutex);
    timers_->remove(*entry_);
    const auto place = timers_->queue.emplace(when, entry_);
    entry_->place = place;
    if (place == timers_->queue.begin()) timers_->changed.notify_one();
  }

  void disarm() noexcept override {
    std::lock_guard lock(timers_->mutex);
    timers_->remove(*entry_);
  }

 private:
  const std::shared_ptr<Timers> timers_;
  const std::shared_ptr<Entry> entry_;
};

class SteadyClock final : public Clock {
 public:
  ~SteadyClock() override {
    {
      std::lock_guard lock(timers_->mutex);
      timers_->stopped = true;
    }
    timers_->changed.notify_one();
    if (!thread_.joinable()) return;
    // A callback may have held the last reference to whatever owned this clock.
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

  time_point now() const noexcept override { return std::chrono::steady_clock::now(); }

  std::unique_ptr<Timer> make_timer(std::function<void()> callback) override {
    {
      std::lock_guard lock(timers_->mutex);
      if (!thread_.joinable()) thread_ = start_thread("the clock's thread", [timers = timers_] { timers->run(); });
    }
    return std::make_unique<SteadyTimer>(timers_, std::move(callback));
  }

 private:
  const std::shared_ptr<Timers> timers_ = std::make_shared<Timers>();
  std::thread thread_;
};

}  // namespace

std::shared_ptr<Clock> make_steady_clock() {
  return std::make_shared<SteadyClock>();
}

}  // namespace statehouse
