#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace statehouse::cli {

/// Tells on standard error that a long run is still alive, and how far it is: in one line that is written over on a
/// terminal, else in a line every ten seconds. Says nothing of short runs.
class Progress {
 public:
  /// `unit` in the plural, "migrations".
  Progress(std::string doing, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::int64_t done, std::int64_t total);

 private:
  void watch(const std::stop_token& stop);
  void tell(std::chrono::seconds elapsed);

  const std::string doing_;
  const std::string unit_;
  const bool terminal_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  bool line_is_open_ = false;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace statehouse::cli
