#pragma once

#include <chrono>
#include <thread>

namespace statehouse::test {

/// How long a test waits for what must come: only a test that hangs uses it up, not one on a busy machine.
constexpr std::chrono::seconds patience{120};

/// Waits until `condition()` holds; false when its patience is at an end. For what other processes and real threads are
/// about to do: where there is an event to wait for, wait for that.
template <class Condition>
bool eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace statehouse::test
