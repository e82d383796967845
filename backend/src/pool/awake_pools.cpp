#include "pool/awake_pools.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "pool/pool_core.hpp"

namespace statehouse::detail {
namespace {

/// So many are compared at a time: a look at one takes a tenth of a microsecond, an opening some hundreds.
constexpr std::size_t sample = 64;

}  // namespace

std::shared_ptr<AwakePools> AwakePools::make(std::size_t most_connections, const DatabaseExecutor& executor) {
  auto pools = std::make_shared<AwakePools>();
  pools->budget_ = std::make_shared<ConnectionBudget>(most_connections, executor, [weak = std::weak_ptr(pools)] {
    const auto self = weak.lock();
    return self != nullptr && self->make_room();
  });
  return pools;
}

void AwakePools::add(PoolCore& pool) {
  std::lock_guard lock(mutex_);
  Place& place = pool.place_among_awake();
  if (place.listed) return;
  place = {.index = pools_.size(), .listed = true, .since = pool.config().clock->now()};
  pools_.push_back(&pool);
}

void AwakePools::remove(PoolCore& pool) noexcept {
  std::lock_guard lock(mutex_);
  Place& place = pool.place_among_awake();
  if (!std::exchange(place.listed, false)) return;
  pools_[place.index] = pools_.back();
  pools_[place.index]->place_among_awake().index = place.index;
  pools_.pop_back();
}

std::size_t AwakePools::size() {
  std::lock_guard lock(mutex_);
  return pools_.size();
}

/// Those that come next, who was used least recently first.
AwakePools::Pools AwakePools::next(std::size_t count) {
  std::vector<std::pair<Clock::time_point, std::shared_ptr<PoolCore>>> found;
  {
    std::lock_guard lock(mutex_);
    for (count = std::min(count, pools_.size()); count > 0; --count) {
      hand_ = (hand_ + 1) % pools_.size();
      PoolCore& pool = *pools_[hand_];
      if (auto alive = pool.weak_from_this().lock())
        found.emplace_back(pool.place_among_awake().since, std::move(alive));
    }
  }
  for (auto& [used, pool] : found) used = std::max(used, pool->last_use());
  std::ranges::sort(found, {}, &decltype(found)::value_type::first);
  Pools result;
  for (auto& [used, pool] : found) result.push_back(std::move(pool));
  return result;
}

bool AwakePools::make_room() {
  const auto tried = [](const Pools& pools, bool (PoolCore::*way)()) {
    return std::ranges::any_of(pools, [way](const auto& pool) { return (*pool.*way)(); });
  };
  const std::size_t all = size();
  for (std::size_t seen = 0; seen < all; seen += sample)
    if (tried(next(sample), &PoolCore::sleep_now)) return true;
  return tried(next(std::numeric_limits<std::size_t>::max()), &PoolCore::close_idle_connection);
}

}  // namespace statehouse::detail
