#pragma once

#include <memory>
#include <mutex>
#include <set>

#include "statehouse/clock.hpp"

namespace statehouse::detail {

class Database;

/// Looks after the databases that are awake once a second, on the clock's thread, and never touches SQLite there.
class Maintenance : public std::enable_shared_from_this<Maintenance> {
 public:
  explicit Maintenance(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  /// Until it sleeps; the first one starts the timer.
  void watch(std::weak_ptr<Database> database);
  void stop();

 private:
  using Watched = std::set<std::weak_ptr<Database>, std::owner_less<>>;

  void look();

  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  Watched watched_;
  std::unique_ptr<Clock::Timer> timer_;
  bool stopped_ = false;
};

}  // namespace statehouse::detail
