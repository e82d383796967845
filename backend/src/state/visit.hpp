#pragma once

#include <exception>
#include <functional>
#include <vector>

#include "statehouse/clock.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::detail {

/// What has become of a database that was to be brought up to date for nobody in particular.
struct Visit {
  MigrationReport applied{};
  bool was_open = false;  // so there was nothing to do
  Clock::duration elapsed{0};
  std::exception_ptr failure{};
};

using OnVisited = std::function<void(const Visit&)>;

}  // namespace statehouse::detail
