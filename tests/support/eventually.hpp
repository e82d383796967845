#pragma once

#include <chrono>
#include <thread>

namespace statehouse::test {

/// Waits until `condition()` holds; false when it does not within 20 s. For what another process does: inside this one,
/// wait for the event itself.
template <class Condition>
bool eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace statehouse::test
