#pragma once

#include <sqlite3.h>

#include <chrono>
#include <utility>

#include "engine/session.hpp"

namespace statehouse::detail {

/// Between two tries for a lock that another process has. A constant short delay has the shortest tail.
inline constexpr auto busy_poll = std::chrono::milliseconds(1);

/// What SQLite asks while it works: may this statement do that, shall I go on, shall I wait for the lock. One object
/// per connection, which outlives it, since SQLite asks until it is closed.
class Callbacks {
 public:
  Callbacks(Session& session, TimeLimit patience) noexcept : session_(session), patience_(patience) {}

  void install(sqlite3* db) noexcept;
  /// Those that `native()` offers to replace.
  void install_stop_handlers(sqlite3* db) noexcept;

  /// Why the authorizer has said no since `forget_refusal`, or null.
  const char* refusal() const noexcept { return refusal_; }
  void forget_refusal() noexcept { refusal_ = nullptr; }

  /// Until the end of the scope no lock of another process is waited for.
  class Impatience {
   public:
    explicit Impatience(Callbacks& callbacks) noexcept
        : callbacks_(callbacks), outer_(std::exchange(callbacks.patience_, Clock::duration(0))) {}
    ~Impatience() { callbacks_.patience_ = outer_; }
    Impatience(const Impatience&) = delete;
    Impatience& operator=(const Impatience&) = delete;

   private:
    Callbacks& callbacks_;
    const Clock::duration outer_;
  };

  /// sqlite3_step, so that `on_progress` knows what runs.
  int step(sqlite3_stmt* statement) noexcept;
  bool stepping() const noexcept { return stepping_ != nullptr; }

 private:
  int on_authorize(int action, const char* first, const char* second) noexcept;
  int on_busy(int attempt) noexcept;
  int on_progress() noexcept;

  Session& session_;
  Clock::duration patience_;  // with locks held by other processes
  Clock::time_point busy_since_{};
  const char* refusal_ = nullptr;
  sqlite3_stmt* stepping_ = nullptr;
};

}  // namespace statehouse::detail
