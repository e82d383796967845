#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "long_form.hpp"
#include "open_connections.hpp"
#include "random.hpp"
#include "sanitized.hpp"
#include "state_support.hpp"
#include "tenant_model.hpp"

namespace statehouse::test {

inline constexpr auto long_time = std::chrono::minutes(10);

struct SoakSize {
  int databases = 60;
  int actors = 24;
  int operations = sanitized ? 150 : 400;  // each, in the short form
  std::size_t connections = 6;
};

inline SoakSize soak_size() {
  return long_form() ? SoakSize{.databases = 10'000, .actors = 64, .connections = 200} : SoakSize{};
}

/// One database: what it must hold, and a handle that somebody has left for others.
class Tenant {
 public:
  /// When somebody asked for the pool.
  struct Asked {
    std::uint64_t ends = 0;
    bool beside_end = false;
  };
  struct Handle {
    Pool pool;
    Asked asked;
  };

  explicit Tenant(std::string called) : name(std::move(called)) {}

  Asked ask() const {
    std::lock_guard lock(mutex_);
    return {.ends = ends_, .beside_end = ending_ > 0};
  }
  void begin_end() {
    std::lock_guard lock(mutex_);
    ++ending_;
    ++ends_;
  }
  void end_end() {
    std::lock_guard lock(mutex_);
    --ending_;
  }
  /// Whether a pool that was asked for then may answer that it is closed.
  bool may_be_closed(const Asked& asked) const {
    std::lock_guard lock(mutex_);
    return asked.beside_end || ends_ != asked.ends;
  }

  void leave(Handle handle) {
    std::lock_guard lock(mutex_);
    left_ = std::move(handle);
  }
  std::optional<Handle> left() const {
    std::lock_guard lock(mutex_);
    return left_;
  }

  const std::string name;
  TenantModel model;

 private:
  mutable std::mutex mutex_;
  std::uint64_t ends_ = 0;  // closes and removals that have begun
  int ending_ = 0;
  std::optional<Handle> left_;
};

/// Of n things the first is picked most often, the k-th 1/k as often.
class Zipf {
 public:
  explicit Zipf(int n) {
    for (int k = 1; k <= n; ++k) sums_.push_back((sums_.empty() ? 0 : sums_.back()) + 1.0 / k);
  }
  std::size_t pick(Random& random) const {
    constexpr int parts = 1 << 30;
    const double at = sums_.back() * random.below(parts) / parts;
    return static_cast<std::size_t>(std::ranges::upper_bound(sums_, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

/// What all actors share.
struct SoakWorld {
  explicit SoakWorld(const SoakSize& wanted) : size(wanted), zipf(wanted.databases) {
    for (int i = 0; i < size.databases; ++i) tenants.emplace_back("tenants/" + std::to_string(i) + "/state");
  }

  void note(const std::string& what) {
    std::lock_guard lock(mutex);
    if (wrong.size() < 10) wrong.push_back(what);
  }
  bool goes_on(int operation) const {
    return long_form() ? std::chrono::steady_clock::now() < end : operation < size.operations;
  }

  const SoakSize size;
  const Zipf zipf;
  std::deque<Tenant> tenants;
  OpenConnections connections;
  std::atomic<std::int64_t> next_value{0};
  std::atomic<std::uint64_t> done{0};
  std::array<std::atomic<std::uint64_t>, 5> failed{};  // closed, timeout, cancelled, undone, removed
  std::chrono::steady_clock::time_point end;           // in the long form, set before the work
  std::mutex mutex;
  std::vector<std::string> wrong;
};

inline AppStateOptions soak_options(SoakWorld& world) {
  AppStateOptions options;
  options.max_open_connections = world.size.connections;
  options.database_threads = 4;
  options.pool.readers = 2;
  options.pool.idle_close = 50ms;
  options.pool.connection.on_connect = world.connections.counting();
  return options;
}

}  // namespace statehouse::test
