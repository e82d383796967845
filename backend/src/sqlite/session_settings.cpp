#include <spdlog/logger.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sqlite/statement_cache.hpp"
#include "statehouse/detail/session.hpp"

// What is done to a connection between its users, and to the file for the sake of all: settings, the log, statistics.

namespace statehouse::detail {
namespace {

/// What PRAGMAs set per connection, and tell when asked.
constexpr std::array per_connection{"analysis_limit",
                                    "automatic_index",
                                    "cache_size",
                                    "cache_spill",
                                    "cell_size_check",
                                    "checkpoint_fullfsync",
                                    "foreign_keys",
                                    "fullfsync",
                                    "ignore_check_constraints",
                                    "journal_size_limit",
                                    "legacy_alter_table",
                                    "locking_mode",
                                    "mmap_size",
                                    "query_only",
                                    "read_uncommitted",
                                    "recursive_triggers",
                                    "reverse_unordered_selects",
                                    "secure_delete",
                                    "synchronous",
                                    "temp_store",
                                    "threads",
                                    "trusted_schema",
                                    "wal_autocheckpoint",
                                    "writable_schema"};

}  // namespace

hygiene Session::clean() noexcept {
  settle();
  const bool open = in_transaction();
  if (!rollback() || broken_) return hygiene::broken;
  return open ? hygiene::rolled_back : hygiene::clean;
}

void Session::settle() noexcept {
  if (!std::exchange(native_used_, false)) return;
  reset_statements();
  install_stop_handlers();  // SQLite::Database::setBusyTimeout, for one, replaces ours
  if (watches_wal_) watch_wal();
}

void Session::reset_statements() noexcept {
  for (sqlite3_stmt* s = sqlite3_next_stmt(handle_, nullptr); s != nullptr; s = sqlite3_next_stmt(handle_, s))
    if (sqlite3_stmt_busy(s)) sqlite3_reset(s);
}

SQLite::Database& Session::native() noexcept {
  native_used_ = true;
  return *database_;
}

void Session::remember_settings() {
  settings_.clear();
  for (const char* const name : per_connection)
    if (auto value = pragma((std::string("PRAGMA ") + name).c_str()); !value.empty())
      settings_.emplace_back(name, std::move(value));
  attached_ = attached();
}

std::vector<std::string> Session::attached() const {
  std::vector<std::string> names;
  // 0 is main, 1 is temp
  for (int i = 2; const char* const name = sqlite3_db_name(handle_, i); ++i) names.emplace_back(name);
  return names;
}

void Session::restore_settings() noexcept {
  const Interrupter::Shield shield(interrupter());
  const PermissionScope scope(*this, permission::unrestricted);
  expects_transaction_ = false;
  try {
    for (const std::string& name : attached()) {
      if (std::ranges::find(attached_, name) != attached_.end()) continue;
      std::string detach = "DETACH \"";
      for (const char c : name) detach += c == '"' ? "\"\"" : std::string(1, c);
      run_internal((detach + '"').c_str());
    }
    for (const auto& [name, value] : settings_) {
      const std::string query = std::string("PRAGMA ") + name;
      if (pragma(query.c_str()) != value) run_internal((query + " = " + value).c_str());
    }
    if (config_.role == connection_role::writer && config_.path != ":memory:") enable_wal();
    if (watches_wal_) watch_wal();
  } catch (const std::exception& error) {
    logger().error("database '{}': settings could not be restored: {}", config_.database, error.what());
    broken_ = true;
  }
}

void Session::optimize(std::chrono::milliseconds budget) noexcept {
  interrupter().arm(interrupter().clock().now() + budget);
  try {
    run_internal("PRAGMA optimize");
  } catch (const std::exception& error) {
    logger().debug("database '{}': PRAGMA optimize: {}", config_.database, error.what());
  }
  interrupter().arm(Clock::time_point::max());  // a shutdown that was asked for is still to be heeded
}

void Session::watch_wal() noexcept {
  watches_wal_ = true;
  for (auto& [name, value] : settings_)
    if (std::string_view(name) == "wal_autocheckpoint") value = "0";
  sqlite3_wal_hook(
      handle_,
      [](void* self, sqlite3*, const char* schema, int frames) {
        if (std::string_view(schema) == "main") static_cast<Session*>(self)->wal_frames_ = frames;
        return SQLITE_OK;
      },
      this);
}

int Session::page_size() {
  return std::stoi(pragma("PRAGMA page_size"));
}

Session::CheckpointResult Session::checkpoint(bool truncate) noexcept {
  if (config_.path == ":memory:") return {};
  const Interrupter::Shield shield(interrupter());
  const auto patience = std::exchange(patience_, std::chrono::milliseconds(0));
  CheckpointResult result;
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(handle_, "main", mode, &result.frames, &result.moved);
  if (code != SQLITE_OK && code != SQLITE_BUSY)
    logger().warn("database '{}': checkpoint: {}", config_.database, sqlite3_errmsg(handle_));
  patience_ = patience;
  // SQLite tells nothing, as -1, when somebody else was at it.
  if (result.frames < 0) return {.frames = wal_frames_};
  wal_frames_ = result.frames;
  return result;
}

void Session::prepare_close() noexcept {
  patience_ = std::chrono::milliseconds(0);
  cache_->clear();
  optimize(config_.options.optimize_budget);
  checkpoint(true);
}

}  // namespace statehouse::detail
