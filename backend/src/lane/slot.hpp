#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>

#include "statehouse/detail/operation.hpp"

namespace statehouse::detail {

/// The operations a database thread has claimed for one transaction. It takes them out one by one, without the lane's
/// mutex; meanwhile whoever holds the mutex may take out or withdraw those that are still in.
class Claims {
 public:
  static constexpr std::size_t capacity = 256;

  /// Under the mutex, by the thread that runs the slot.
  void clear() noexcept { size_ = 0; }
  /// Gives the place.
  std::size_t add(Operation& operation) noexcept {
    places_[size_].store(&operation, std::memory_order_release);
    return size_++;
  }

  /// By the thread that runs the slot, or under the mutex; null when somebody else was faster.
  Operation* take(std::size_t place) noexcept { return places_[place].exchange(nullptr, std::memory_order_acq_rel); }
  std::size_t size() const noexcept { return size_; }
  /// Under the mutex: how many are still in. The thread may take more of them at any moment.
  std::size_t left() const noexcept {
    return static_cast<std::size_t>(std::count_if(places_.begin(), places_.begin() + size_, [](const auto& place) {
      return place.load(std::memory_order_relaxed) != nullptr;
    }));
  }

  /// Under the mutex. What is in is alive, as it ends under the mutex only.
  Operation* at(std::size_t place) const noexcept { return places_[place].load(std::memory_order_acquire); }
  /// True when the thread has not taken it, and now never will.
  bool withdraw(std::size_t place, Operation& operation) noexcept {
    Operation* expected = &operation;
    return places_[place].compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
  }

 private:
  std::array<std::atomic<Operation*>, capacity> places_{};
  std::size_t size_ = 0;
};

/// One connection of a lane and who has it.
///
///     idle -> scheduled -> running -> scheduled ... -> idle      a database thread works through the queue
///     idle/scheduled/running -> leased -> idle | scheduled       a caller holds it
///     any -> parked                                              the lane is closed; never left
struct Slot {
  enum class state : unsigned char { idle, scheduled, running, leased, parked };

  explicit Slot(std::shared_ptr<Interrupter> stop) : interrupter(std::move(stop)) {}

  std::unique_ptr<Connection> connection;  // empty when it could not be opened again
  const std::shared_ptr<Interrupter> interrupter;
  state status = state::idle;
  Claims claims;
  // What runs, or waits to run on the lease, and since when; set by the running thread, read under the mutex.
  std::atomic<Operation*> current{nullptr};
  std::atomic<Clock::time_point> since{};
  // Of the present lease.
  std::uint64_t ticket = 0;
  const char* verb = "";
  std::source_location where{};
  Clock::time_point leased_at{};
  bool dropped = false;   // it ended while its operation was running
  bool reported = false;  // as held for long
};

}  // namespace statehouse::detail
