#include "pool/scheduled_backups.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/deadline.hpp"
#include "base/error_text.hpp"
#include "file/file.hpp"
#include "sqlite/backup_run.hpp"

namespace statehouse::detail {
namespace {

/// After one that has failed, where the next is not due before.
constexpr std::chrono::minutes retry_after{5};

}  // namespace

/// One backup.
struct ScheduledBackups::Run {
  Run(std::unique_ptr<Connection> opened, std::filesystem::path file, Clock::time_point now)
      : connection(std::move(opened)), target(std::move(file)), began(now), copying(*connection, target, false) {}

  const std::unique_ptr<Connection> connection;
  const std::filesystem::path target;
  const Clock::time_point began;
  BackupRun copying;
};

bool ScheduledBackups::wanted(const PoolConfig& config) {
  const PoolOptions& options = *config.options;
  return options.backup.every > TimeLimit() && !options.in_memory && !in_cluster(options);
}

ScheduledBackups::ScheduledBackups(const PoolConfig& config, Open open, std::function<void()> on_stopped)
    : config_(config),
      open_(std::move(open)),
      on_stopped_(std::move(on_stopped)),
      interrupter_(std::make_shared<Interrupter>(config.clock)),
      series_(config.path, config.backup_directory()) {}

ScheduledBackups::~ScheduledBackups() = default;

void ScheduledBackups::begin(std::weak_ptr<void> owner) {
  owner_ = std::move(owner);
}

void ScheduledBackups::begin_if_due() {
  {
    std::lock_guard lock(mutex_);
    if (paused_ || !is_due()) return;
    state_ = state::waiting;
  }
  post();
}

bool ScheduledBackups::is_due() const {
  return !stopped_ && state_ == state::idle && config_.clock->now() >= due_;
}

bool ScheduledBackups::due() const {
  std::lock_guard lock(mutex_);
  return is_due();
}

bool ScheduledBackups::pause() {
  std::lock_guard lock(mutex_);
  if (state_ == state::idle) paused_ = true;
  return paused_;
}

void ScheduledBackups::resume() {
  std::lock_guard lock(mutex_);
  paused_ = false;
}

void ScheduledBackups::post() {
  // Weak: what waits there when the threads are over must not be what closes the pool.
  config_.backup_turns->add([owner = owner_, this] {
    if (const auto alive = owner.lock()) work();
  });
}

void ScheduledBackups::work() {
  {
    std::lock_guard lock(mutex_);
    if (state_ != state::waiting) return;  // abandoned
    state_ = state::working;
  }
  bool more = false;
  try {
    more = advance();
  } catch (...) {
    note_failure(std::current_exception());
  }
  if (!more) run_.reset();
  bool stopped = false;
  {
    std::lock_guard lock(mutex_);
    if (!more) running_.reset();
    state_ = more ? state::waiting : state::idle;
    stopped = stopped_;
  }
  if (more) return post();
  if (stopped) on_stopped_();
}

/// What earlier processes have made may put the first one off. Not looked for when the database is opened: a directory
/// on another machine may not answer.
bool ScheduledBackups::due_by_now() {
  if (looked_) return true;
  const auto files = series_.list();
  looked_ = true;
  if (files.empty()) return true;
  const auto made = series_.made_at(files.back());
  const auto bytes = file_size_or_zero(files.back());
  const auto age = std::chrono::system_clock::now() - made;
  const auto now = config_.clock->now();
  std::lock_guard lock(mutex_);
  stats_.last = made;
  stats_.last_bytes = bytes;
  if (age < Clock::duration(0)) return true;  // of a time that is to come it tells nothing
  due_ = after(now - age, config_.options->backup.every);
  return now >= due_;
}

/// A slice; false when the backup is there, or none is due.
bool ScheduledBackups::advance() {
  if (run_ == nullptr) {
    note_running(series_.directory().string(), false);
    if (!due_by_now()) return false;
    prepare_directory(series_.directory(), "directory of the backups");
    series_.remove_half_made();  // they take the room
    run_ = std::make_unique<Run>(open_(interrupter_), series_.next(), config_.clock->now());
    note_running(run_->target.filename().string(), true);
  }
  if (run_->copying.step()) return true;
  note_running(run_->target.filename().string(), false);
  finish();
  return false;
}

void ScheduledBackups::finish() {
  const auto bytes = static_cast<std::uint64_t>(run_->copying.finish());
  note_made(bytes);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(config_.clock->now() - run_->began).count();
  config_.logger->info("database '{}': backed up to {}, {} KiB in {} ms", config_.name,
                       run_->target.filename().string(), (bytes + 1023) >> 10, took);
  try {
    series_.trim(config_.options->backup.keep);
  } catch (const Error& error) {
    config_.logger->error("database '{}': older backups than are kept: {}", config_.name, error.what());
  }
}

void ScheduledBackups::note_running(std::string at, bool reads) {
  const auto now = config_.clock->now();
  std::lock_guard lock(mutex_);
  running_ = {std::move(at), running_ ? running_->began : now, reads};
}

void ScheduledBackups::note_made(std::uint64_t bytes) {
  const auto made = series_.made_at(run_->target);
  std::lock_guard lock(mutex_);
  due_ = after(run_->began, config_.options->backup.every);
  stats_.last = made;
  stats_.last_bytes = bytes;
  stats_.last_error.clear();
}

void ScheduledBackups::note_failure(const std::exception_ptr& error) {
  std::string reason = text_of(error);
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    due_ = after(config_.clock->now(), std::min(config_.options->backup.every, TimeLimit(retry_after)));
    ++stats_.failures;
    stats_.last_error = reason;
  }
  config_.logger->error("database '{}': no backup: {}", config_.name, reason);
}

void ScheduledBackups::stop() noexcept {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  interrupter_->request(stop_reason::shutdown);
  if (idle()) return;
  // Its turn may come in minutes.
  config_.executor.post([owner = owner_, this] {
    const auto alive = owner.lock();
    if (!alive) return;
    abandon();
    on_stopped_();
  });
}

void ScheduledBackups::abandon() noexcept {
  {
    std::lock_guard lock(mutex_);
    if (state_ != state::waiting) return;
    state_ = state::working;
  }
  run_.reset();
  std::lock_guard lock(mutex_);
  running_.reset();
  state_ = state::idle;
}

bool ScheduledBackups::idle() const {
  std::lock_guard lock(mutex_);
  return state_ == state::idle;
}

std::optional<Holder> ScheduledBackups::holder() const {
  std::lock_guard lock(mutex_);
  if (!running_) return std::nullopt;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(config_.clock->now() - running_->began);
  return Holder{connection_role::reader, "backup", running_->at, since, running_->reads};
}

BackupStats ScheduledBackups::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace statehouse::detail
