#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <functional>

namespace statehouse::bench {

/// Latencies in a fixed amount of memory, however many there are: log-linear buckets, at most 0.8 % wide; the maximum
/// is exact.
class Histogram {
 public:
  void add(std::chrono::nanoseconds value) noexcept {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
    ++counts_[std::min(bucket(ns), counts_.size() - 1)];
    ++count_;
    max_ = std::max(max_, ns);
  }

  void add(const Histogram& other) noexcept {
    std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus());
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  std::uint64_t count() const noexcept { return count_; }
  double max_us() const noexcept { return static_cast<double>(max_) / 1e3; }

  /// The smallest latency that a `share` of all does not exceed, in microseconds; 0 when there are none.
  double quantile_us(double share) const noexcept {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank || (seen == count_ && seen != 0)) return static_cast<double>(std::min(upper(i), max_)) / 1e3;
    }
    return 0;
  }

 private:
  static constexpr unsigned bits_ = 7;         // of precision: 128 buckets per power of two
  static constexpr std::size_t octaves_ = 34;  // the last bucket begins beyond 15 minutes

  static std::size_t bucket(std::uint64_t value) noexcept {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    if (width <= bits_) return value;
    const unsigned shift = width - bits_ - 1;
    return (std::size_t{shift} << bits_) + (value >> shift);
  }
  /// The largest value that goes into a bucket.
  static std::uint64_t upper(std::size_t index) noexcept {
    if (index < (2U << bits_)) return index;
    const std::size_t shift = (index >> bits_) - 1;
    const std::uint64_t first = ((index & ((1U << bits_) - 1)) + (1U << bits_)) << shift;
    return first + (std::uint64_t{1} << shift) - 1;
  }

  std::array<std::uint64_t, (octaves_ + 1) << bits_> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace statehouse::bench
