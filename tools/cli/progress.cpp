#include "progress.hpp"

#include <unistd.h>

#include <iostream>

#include "output.hpp"

namespace statehouse::cli {

Progress::Progress(std::string doing, std::string unit)
    : doing_(std::move(doing)),
      unit_(std::move(unit)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      thread_([this](const std::stop_token& stop) { watch(stop); }) {}

Progress::~Progress() {
  thread_.request_stop();
  thread_.join();
  if (line_is_open_) std::cerr << "\r\x1b[K" << std::flush;
}

void Progress::update(std::int64_t done, std::int64_t total) {
  const std::lock_guard lock(mutex_);
  done_ = done;
  total_ = total;
  if (!line_is_open_) return;
  // What the command prints next begins on a clean line.
  std::cerr << "\r\x1b[K" << std::flush;
  line_is_open_ = false;
}

void Progress::watch(const std::stop_token& stop) {
  const std::chrono::seconds interval(terminal_ ? 1 : 10);
  std::unique_lock lock(mutex_);
  for (std::chrono::seconds elapsed = interval;; elapsed += interval) {
    changed_.wait_for(lock, stop, interval, [] { return false; });
    if (stop.stop_requested()) return;
    tell(elapsed);
  }
}

void Progress::tell(std::chrono::seconds elapsed) {
  std::string text = doing_ + ", " + to_text(elapsed);
  if (total_ > 0) text += ", " + std::to_string(done_) + " of " + std::to_string(total_) + ' ' + unit_;
  if (terminal_) {
    std::cerr << "\r\x1b[K" << text << std::flush;
    line_is_open_ = true;
  } else {
    std::cerr << "statehouse: " << text << std::endl;
  }
}

}  // namespace statehouse::cli
