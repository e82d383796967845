#include "sqlite/callbacks.hpp"

#include <thread>
#include <utility>

namespace statehouse::detail {
namespace {

constexpr int steps_between_checks = 1000;  // virtual machine steps: some 10 to 50 microseconds

}  // namespace

void Callbacks::install(sqlite3* db) noexcept {
  install_stop_handlers(db);
  sqlite3_set_authorizer(
      db,
      [](void* self, int action, const char* first, const char* second, const char* schema, const char*) {
        return static_cast<Callbacks*>(self)->on_authorize(action, first, second, schema);
      },
      this);
}

void Callbacks::install_stop_handlers(sqlite3* db) noexcept {
  sqlite3_busy_handler(
      db, [](void* self, int attempt) { return static_cast<Callbacks*>(self)->on_busy(attempt); }, this);
  sqlite3_progress_handler(
      db, steps_between_checks, [](void* self) { return static_cast<Callbacks*>(self)->on_progress(); }, this);
}

int Callbacks::step(sqlite3_stmt* statement) noexcept {
  sqlite3_stmt* const outer = std::exchange(stepping_, statement);
  const int result = sqlite3_step(statement);
  stepping_ = outer;
  return result;
}

int Callbacks::on_authorize(int action, const char* first, const char* second, const char* schema) noexcept {
  if (learning_ != nullptr) {
    learning_->note(action, first, second, schema);
    return SQLITE_OK;
  }
  const permission granted = session_.rules().granted;
  const char* const reason = detail::refusal(granted, may_checkpoint_, action, first, second);
  if (reason == nullptr) {
    const change made = change_of(granted, action, first, second, schema);
    changing_ = changing_ || made != change::none;
    note(made);
    return SQLITE_OK;
  }
  refusal_ = reason;
  return SQLITE_DENY;
}

int Callbacks::on_busy(int attempt) noexcept {
  if (Brief* const brief = session_.rules().brief) {
    brief->gave_up = true;
    return 0;
  }
  const Interrupter& interrupter = session_.interrupter();
  const auto now = interrupter.clock().now();
  if (attempt == 0) busy_since_ = now;
  if (interrupter.must_stop() || now - busy_since_ >= patience_) return 0;
  std::this_thread::sleep_for(busy_poll);  // somebody in another process holds the lock
  return 1;
}

int Callbacks::on_progress() noexcept {
  // SQLite asks once more after a statement has come to its end and is committed: too late to stop it, and to say so
  // would be a lie.
  if (stepping_ != nullptr && !sqlite3_stmt_busy(stepping_)) return 0;
  if (Brief* const brief = session_.rules().brief) {
    // SQLite counts the steps of a prepared statement over all its runs, so the first call may come at any moment.
    if (brief->checks++ == 0) return 0;
    brief->gave_up = true;
    return 1;
  }
  return session_.interrupter().must_stop() ? 1 : 0;
}

}  // namespace statehouse::detail
