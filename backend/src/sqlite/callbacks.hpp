#pragma once

#include <sqlite3.h>

#include <chrono>
#include <utility>

#include "engine/session.hpp"
#include "sqlite/authorizer.hpp"
#include "sqlite/written_tables.hpp"

namespace statehouse::detail {

/// Between two tries for a lock that another process has. A constant short delay has the shortest tail.
inline constexpr auto busy_poll = std::chrono::milliseconds(1);

/// What SQLite asks while it works: may this statement do that, shall I go on, shall I wait for the lock. One object
/// per connection, which outlives it, since SQLite asks until it is closed.
class Callbacks {
 public:
  Callbacks(Session& session, TimeLimit patience, bool may_checkpoint) noexcept
      : session_(session), patience_(patience), may_checkpoint_(may_checkpoint) {}

  void install(sqlite3* db) noexcept;
  /// Those that `native()` offers to replace.
  void install_stop_handlers(sqlite3* db) noexcept;

  /// What the authorizer has said since `begin_compiling`: why not, or null; and whether the statement is to change
  /// what stays with the connection.
  const char* refusal() const noexcept { return refusal_; }
  bool changing() const noexcept { return changing_; }
  void begin_compiling() noexcept {
    refusal_ = nullptr;
    changing_ = false;
  }

  /// What is compiled until the end of the scope is only compiled to hear what it would write.
  class Learning {
   public:
    Learning(Callbacks& callbacks, WrittenTables& written) noexcept : callbacks_(callbacks) {
      callbacks_.learning_ = &written;
    }
    ~Learning() { callbacks_.learning_ = nullptr; }
    Learning(const Learning&) = delete;
    Learning& operator=(const Learning&) = delete;

   private:
    Callbacks& callbacks_;
  };

  /// What users may have changed since `forget_changes`. Known when a statement is compiled, so that no use costs
  /// anything; what is found compiled changes nothing, see `LocalSession::compile`.
  change changes() const noexcept { return changes_; }
  void note(change one) noexcept { changes_ = changes_ | one; }
  void forget_changes() noexcept { changes_ = change::none; }

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
  int on_authorize(int action, const char* first, const char* second, const char* schema) noexcept;
  int on_busy(int attempt) noexcept;
  int on_progress() noexcept;

  Session& session_;
  Clock::duration patience_;  // with locks held by other processes
  const bool may_checkpoint_;
  Clock::time_point busy_since_{};
  const char* refusal_ = nullptr;
  bool changing_ = false;
  change changes_ = change::none;
  sqlite3_stmt* stepping_ = nullptr;
  WrittenTables* learning_ = nullptr;
};

}  // namespace statehouse::detail
