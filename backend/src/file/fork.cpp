#include "file/fork.hpp"

#include <pthread.h>

#include <atomic>

namespace statehouse::detail {
namespace {

std::atomic<unsigned> generation{0};

// A counter instead of getpid(): the check is on the path of every call, and getpid() is a system call.
[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

unsigned fork_generation() noexcept {
  return generation.load(std::memory_order_relaxed);
}

}  // namespace statehouse::detail
