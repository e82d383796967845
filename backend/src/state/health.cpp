#include "statehouse/health.hpp"

#include <algorithm>

namespace statehouse {
namespace {

bool opened(health_reason reason) noexcept {
  return reason != health_reason::not_opened && reason != health_reason::opening &&
         reason != health_reason::migrating && reason != health_reason::failed;
}

template <class Well>
bool all_required(const Health& health, Well well) noexcept {
  return std::ranges::all_of(health.databases,
                             [&](const DatabaseHealth& one) { return !one.required || well(one.reason); });
}

}  // namespace

bool Health::live() const noexcept {
  return all_required(*this, [](health_reason reason) {
    return reason != health_reason::file_replaced && reason != health_reason::sync_failed;
  });
}

bool Health::started() const noexcept {
  return initialised && all_required(*this, opened);
}

bool Health::ready() const noexcept {
  return initialised && !stopping && all_required(*this, [](health_reason reason) {
           return reason == health_reason::none || reason == health_reason::log_unattended;
         });
}

bool Health::degraded() const noexcept {
  return ready() &&
         std::ranges::any_of(databases, [](const DatabaseHealth& one) { return one.reason != health_reason::none; });
}

}  // namespace statehouse
