#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "statehouse/clock.hpp"

using namespace statehouse;
using namespace std::chrono_literals;

namespace {

/// What callbacks have said, and a way to wait for it. The waits have no limit: what never comes is the test's timeout.
class Record {
 public:
  void add(int value) {
    std::lock_guard lock(mutex_);
    values_.push_back(value);
    changed_.notify_all();
  }
  std::vector<int> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return values_.size() >= count; });
    return values_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> values_;
};

/// Keeps the clock's thread in a callback while it lives: what is armed meanwhile waits, however long the arming takes.
class Held {
 public:
  explicit Held(Clock& clock)
      : timer_(clock.make_timer([latches = latches_] {
          latches->held.count_down();
          latches->go.wait();
        })) {
    timer_->arm(Clock::time_point::min());
    latches_->held.wait();
  }
  ~Held() { latches_->go.count_down(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  struct Latches {
    std::latch held{1};
    std::latch go{1};
  };
  const std::shared_ptr<Latches> latches_ = std::make_shared<Latches>();
  const std::unique_ptr<Clock::Timer> timer_;
};

using Timers = std::vector<std::unique_ptr<Clock::Timer>>;

}  // namespace

TEST_CASE("steady clock: is the steady clock") {
  const auto clock = make_steady_clock();
  const auto before = std::chrono::steady_clock::now();
  const auto now = clock->now();
  CHECK(before <= now);
  CHECK(now <= std::chrono::steady_clock::now());
}

TEST_CASE("timer: calls back once, not before its time") {
  const auto clock = make_steady_clock();
  Record record;
  std::atomic<bool> early = false;
  const auto due = clock->now() + 20ms;
  const auto timer = clock->make_timer([&] {
    early = clock->now() < due;
    record.add(1);
  });
  timer->arm(due);
  record.wait_for(1);
  CHECK_FALSE(early);
  // A second call of the first would come before this one.
  const auto later = clock->make_timer([&] { record.add(2); });
  later->arm(clock->now() + 5ms);
  CHECK(record.wait_for(2) == std::vector{1, 2});
}

TEST_CASE("timer: a time in the past is now, one in the far future never") {
  const auto clock = make_steady_clock();
  Record record;
  const auto never = clock->make_timer([&] { record.add(0); });
  never->arm(Clock::time_point::max());
  const auto timer = clock->make_timer([&] { record.add(1); });
  timer->arm(Clock::time_point::min());
  CHECK(record.wait_for(1) == std::vector{1});
  timer->arm(clock->now() - 1h);
  CHECK(record.wait_for(2) == std::vector{1, 1});
}

TEST_CASE("timer: arming again replaces the earlier time, in both directions") {
  const auto clock = make_steady_clock();
  Record record;
  const auto start = clock->now();
  const auto moved_up = clock->make_timer([&] { record.add(1); });
  const auto put_off = clock->make_timer([&] { record.add(3); });
  const auto fixed = clock->make_timer([&] { record.add(2); });
  {
    const Held held(*clock);
    moved_up->arm(start + 1h);
    put_off->arm(start);
    fixed->arm(start + 20ms);
    moved_up->arm(start + 10ms);
    put_off->arm(start + 30ms);
  }
  CHECK(record.wait_for(3) == std::vector{1, 2, 3});
}

TEST_CASE("timer: can be armed again after it has called back, and from within") {
  Record record;
  int count = 0;
  std::unique_ptr<Clock::Timer> timer;
  const auto clock = make_steady_clock();  // goes first: its destructor waits for the callback, which uses the others
  timer = clock->make_timer([&] {
    record.add(++count);
    if (count < 3) timer->arm(clock->now() + 1ms);
  });
  timer->arm(clock->now());
  CHECK(record.wait_for(3) == std::vector{1, 2, 3});
  timer->arm(clock->now());
  CHECK(record.wait_for(4) == std::vector{1, 2, 3, 4});
}

TEST_CASE("timer: disarmed or destroyed it does not call back") {
  const auto clock = make_steady_clock();
  Record record;
  const auto due = clock->now() + 5ms;
  const auto disarmed = clock->make_timer([&] { record.add(1); });
  auto destroyed = clock->make_timer([&] { record.add(2); });
  const auto last = clock->make_timer([&] { record.add(3); });
  {
    const Held held(*clock);
    disarmed->arm(due);
    destroyed->arm(due);
    last->arm(due + 5ms);
    disarmed->disarm();
    disarmed->disarm();
    destroyed.reset();
  }
  CHECK(record.wait_for(1) == std::vector{3});
}

TEST_CASE("timer: may be destroyed inside its own callback, and inside another's") {
  const auto clock = make_steady_clock();
  Record record;
  std::unique_ptr<Clock::Timer> self;
  self = clock->make_timer([&] {
    self.reset();
    record.add(1);
  });
  self->arm(clock->now());
  record.wait_for(1);

  Timers timers(2);
  const auto due = clock->now() + 5ms;
  timers[1] = clock->make_timer([&] { record.add(99); });
  timers[0] = clock->make_timer([&] {
    timers[1].reset();
    record.add(2);
  });
  {
    const Held held(*clock);
    timers[1]->arm(due);
    timers[0]->arm(due - 1ms);
  }
  record.wait_for(2);
  const auto last = clock->make_timer([&] { record.add(3); });
  last->arm(due + 5ms);
  CHECK(record.wait_for(3) == std::vector{1, 2, 3});
}

TEST_CASE("timer: many call back in the order of their times, those of one time in the order of arming") {
  const auto clock = make_steady_clock();
  Record record;
  Timers timers;
  const auto start = clock->now();
  constexpr int count = 500;
  for (int i = 0; i < count; ++i) timers.push_back(clock->make_timer([&record, i] { record.add(i); }));
  // 211 has no factor in common with 500: every index once, out of order. Four timers share each time.
  std::optional<Held> held(*clock);
  for (int k = 0; k < count; ++k) {
    const int i = k * 211 % count;
    timers[static_cast<std::size_t>(i)]->arm(start + std::chrono::microseconds(10) * (i / 4));
  }
  held.reset();
  std::vector<int> order = record.wait_for(count);
  for (std::size_t at = 0; at < order.size(); at += 4) {
    std::vector<int> armed;
    for (int k = 0; k < count; ++k)
      if (const int i = k * 211 % count; i / 4 == static_cast<int>(at / 4)) armed.push_back(i);
    CHECK(std::vector(order.begin() + static_cast<std::ptrdiff_t>(at),
                      order.begin() + static_cast<std::ptrdiff_t>(at) + 4) == armed);
  }
}

TEST_CASE("timer: outlives its clock without harm, and calls nobody then") {
  auto clock = make_steady_clock();
  bool called = false;
  const auto timer = clock->make_timer([&] { called = true; });
  timer->arm(clock->now() + 1h);
  clock.reset();  // joins the clock's thread
  timer->arm(Clock::time_point::min());
  timer->disarm();
  CHECK_FALSE(called);
}

TEST_CASE("clock: its last reference may go in a callback") {
  Record record;
  auto clock = make_steady_clock();
  auto* const last = &clock;
  const auto timer = clock->make_timer([&record, last] {
    last->reset();
    record.add(1);
  });
  const auto when = clock->now();
  timer->arm(when);
  CHECK(record.wait_for(1) == std::vector{1});
}
