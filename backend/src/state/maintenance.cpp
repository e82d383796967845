#include "state/maintenance.hpp"

#include <vector>

#include "state/database.hpp"

namespace statehouse::detail {
namespace {

constexpr auto look_interval = std::chrono::seconds(1);

}  // namespace

void Maintenance::watch(std::weak_ptr<Database> database) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  const bool is_new = watched_.insert(std::move(database)).second;
  if (timer_ == nullptr)
    timer_ = clock_->make_timer([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look();
    });
  if (is_new && watched_.size() == 1) timer_->arm(clock_->now() + look_interval);
}

void Maintenance::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (timer_ != nullptr) timer_->disarm();
}

void Maintenance::look() {
  std::vector<std::shared_ptr<Database>> all;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    for (const auto& weak : watched_)
      if (auto database = weak.lock()) all.push_back(std::move(database));
  }
  for (const auto& database : all) database->look_after();
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  // Under the mutex: one that wakes at this moment is watched again afterwards.
  std::erase_if(watched_, [](const std::weak_ptr<Database>& weak) {
    const auto database = weak.lock();
    return database == nullptr || !database->wants_looking_after();
  });
  if (!watched_.empty()) timer_->arm(clock_->now() + look_interval);
}

}  // namespace statehouse::detail
