#include "state/maintenance.hpp"

#include "state/database.hpp"

namespace statehouse::detail {
namespace {

constexpr auto look_interval = std::chrono::seconds(1);
constexpr auto optimize_interval = std::chrono::hours(24);

void look_after(Database& database, bool optimize) {
  const auto core = database.open_pool();
  if (core == nullptr) return;
  if (optimize) core->optimize();
  core->report_long_leases();
  core->checkpoint_if_idle();
  core->back_up_if_due();
  if (const auto loss = core->close_if_lost()) database.lose(*loss);
}

}  // namespace

void Maintenance::watch(std::weak_ptr<Database> database) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  const auto now = clock_->now();
  watched_.push_back({std::move(database), now});
  if (timer_ != nullptr) return;
  timer_ = clock_->make_timer([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
  timer_->arm(now + look_interval);
}

void Maintenance::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (timer_ != nullptr) timer_->disarm();
}

void Maintenance::look() {
  std::vector<std::pair<std::shared_ptr<Database>, bool>> due;
  const auto now = clock_->now();
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    for (auto& [weak, optimized_at] : watched_) {
      const bool optimize = now - optimized_at >= optimize_interval;
      if (optimize) optimized_at = now;
      if (auto database = weak.lock()) due.emplace_back(std::move(database), optimize);
    }
  }
  for (const auto& [database, optimize] : due) look_after(*database, optimize);
  std::lock_guard lock(mutex_);
  if (!stopped_) timer_->arm(clock_->now() + look_interval);
}

}  // namespace statehouse::detail
