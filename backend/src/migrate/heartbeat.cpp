#include "migrate/heartbeat.hpp"

#include <spdlog/logger.h>

#include <chrono>
#include <mutex>
#include <utility>

#include "statehouse/detail/session.hpp"

namespace statehouse::detail {
namespace {

constexpr auto interval = std::chrono::seconds(10);

}  // namespace

struct Heartbeat::Beat {
  void tell() {
    // Held while it logs, so that no line comes after the one that tells the end.
    const std::lock_guard lock(mutex);
    if (timer == nullptr) return;
    const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(interrupter->clock().now() - start);
    logger->info("{} still running after {} s{}", what, elapsed.count(), where);
    timer->arm(next += interval);
  }

  const std::string what;
  const std::string where;
  const std::shared_ptr<Interrupter> interrupter;  // has the clock
  const std::shared_ptr<spdlog::logger> logger;
  const Clock::time_point start;
  std::mutex mutex;
  Clock::time_point next;
  std::unique_ptr<Clock::Timer> timer;  // null when it is over
};

Heartbeat::Heartbeat(const Session& session, std::string what, std::string where) {
  if (!session.logger().should_log(spdlog::level::info)) return;
  const auto& config = session.config();
  Clock& clock = config.interrupter->clock();
  const auto now = clock.now();
  beat_ = std::make_shared<Beat>(std::move(what), std::move(where), config.interrupter, config.logger, now);
  beat_->next = now + interval;
  beat_->timer = clock.make_timer([weak = std::weak_ptr(beat_)] {
    if (const auto beat = weak.lock()) beat->tell();
  });
  beat_->timer->arm(beat_->next);
}

Heartbeat::~Heartbeat() {
  if (beat_ == nullptr) return;
  const std::lock_guard lock(beat_->mutex);
  beat_->timer.reset();
}

}  // namespace statehouse::detail
