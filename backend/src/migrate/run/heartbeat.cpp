#include "migrate/run/heartbeat.hpp"

#include <spdlog/logger.h>

#include <chrono>
#include <mutex>
#include <string>
#include <utility>

#include "engine/session.hpp"
#include "statehouse/migration.hpp"

namespace statehouse::detail {
namespace {

constexpr auto interval = std::chrono::seconds(10);

}  // namespace

struct Heartbeat::Beat {
  explicit Beat(const SessionContext& context)
      : database(context.database), interrupter(context.interrupter), logger(context.logger) {}

  void on_timer() {
    // Held while it logs, so that no line comes after the one that tells the end.
    const std::lock_guard lock(mutex);
    if (timer == nullptr) return;
    const auto now = interrupter->clock().now();
    if (migration == nullptr) return timer->arm(now + interval);
    if (now >= next) {
      const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(now - start);
      logger->info("database '{}': migration {} '{}' still running after {} s ({}/{})", database, migration->version,
                   migration->description, elapsed.count(), index, total);
      do next += interval;
      while (next <= now);  // after a stall, one line for all
    }
    timer->arm(next);
  }

  const std::string database;
  const std::shared_ptr<Interrupter> interrupter;  // has the clock
  const std::shared_ptr<spdlog::logger> logger;
  std::mutex mutex;
  std::unique_ptr<Clock::Timer> timer;   // null when the run is over
  const Migration* migration = nullptr;  // that runs
  std::size_t index = 0;
  std::size_t total = 0;
  Clock::time_point start;
  Clock::time_point next;  // line of this migration
};

Heartbeat::Heartbeat(const Session& session) {
  if (!session.logger().should_log(spdlog::level::info)) return;
  beat_ = std::make_shared<Beat>(session.context());
  Clock& clock = beat_->interrupter->clock();
  beat_->timer = clock.make_timer([weak = std::weak_ptr(beat_)] {
    if (const auto beat = weak.lock()) beat->on_timer();
  });
  beat_->timer->arm(clock.now() + interval);
}

Heartbeat::~Heartbeat() {
  if (beat_ == nullptr) return;
  const std::lock_guard lock(beat_->mutex);
  beat_->timer.reset();
}

void Heartbeat::begin(const Migration& migration, std::size_t index, std::size_t total) {
  if (beat_ == nullptr) return;
  const auto now = beat_->interrupter->clock().now();
  const std::lock_guard lock(beat_->mutex);
  beat_->migration = &migration;
  beat_->index = index;
  beat_->total = total;
  beat_->start = now;
  beat_->next = now + interval;
}

void Heartbeat::end() {
  if (beat_ == nullptr) return;
  const std::lock_guard lock(beat_->mutex);
  beat_->migration = nullptr;
}

}  // namespace statehouse::detail
