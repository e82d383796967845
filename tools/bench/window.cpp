#include "window.hpp"

#include <functional>

namespace statehouse::bench {

void Tally::add(const Tally& other) {
  reads.add(other.reads);
  writes.add(other.writes);
  completed += other.completed;
  errors += other.errors;
  if (first_error.empty()) first_error = other.first_error;
}

void Tally::fail(const char* what) {
  ++errors;
  if (first_error.empty()) first_error = what;
}

Window::Window(const Load& load) : timed_(load.operations == 0), left_(static_cast<std::int64_t>(load.operations)) {
  if (!timed_) {
    begin();
    return;
  }
  timer_ = std::jthread([this, warm_up = load.warm_up, duration = load.duration] {
    std::this_thread::sleep_for(warm_up);
    begin();
    std::this_thread::sleep_for(duration);
    end();
  });
}

void Window::begin() {
  used_ = used_so_far();
  began_ = std::chrono::steady_clock::now();
  phase_ = phase::open;
}

void Window::end() {
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  phase_ = phase::over;
  used_ = used_so_far() - used_;
}

void Window::finish(Measurement& result) {
  timed_ ? timer_.join() : end();
  result.seconds = seconds_;
  result.used = used_;
}

}  // namespace statehouse::bench
