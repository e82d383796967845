#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "statehouse/clock.hpp"

namespace statehouse::detail {

class Database;

/// Looks after the open databases once a second, on the clock's thread, and never touches SQLite there.
class Maintenance : public std::enable_shared_from_this<Maintenance> {
 public:
  explicit Maintenance(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  /// From now on; the first one starts the timer.
  void watch(std::weak_ptr<Database> database);
  void stop();

 private:
  struct Watched {
    std::weak_ptr<Database> database;
    Clock::time_point optimized_at;
  };

  void look();

  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  std::vector<Watched> watched_;
  std::unique_ptr<Clock::Timer> timer_;
  bool stopped_ = false;
};

}  // namespace statehouse::detail
