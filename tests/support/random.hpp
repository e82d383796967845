#pragma once

#include <random>

namespace statehouse::test {

/// The same numbers for the same seed.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int below(int limit) { return std::uniform_int_distribution(0, limit - 1)(engine_); }
  bool one_in(int n) { return below(n) == 0; }

 private:
  std::mt19937 engine_;
};

}  // namespace statehouse::test
