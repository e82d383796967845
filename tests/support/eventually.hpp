#pragma once

#include <chrono>
#include <thread>

namespace statehouse::test {

/// Waits until `condition()` holds; false when it does not within the 30 s that a slow machine may need. For what other
/// processes and real threads are about to do: where there is an event to wait for, wait for that.
template <class Condition>
bool eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace statehouse::test
