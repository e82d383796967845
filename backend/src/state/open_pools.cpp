#include "state/open_pools.hpp"

#include <utility>

namespace statehouse::detail {
namespace {

/// Threads are numbered as they come; the number decides which owner they copy.
std::size_t thread_number() noexcept {
  static std::atomic<std::size_t> count{0};
  thread_local const std::size_t number = count.fetch_add(1, std::memory_order_relaxed);
  return number;
}

/// One reference to the pool, with a reference count of its own, on a cache line of its own.
struct alignas(64) Owner {
  std::shared_ptr<PoolCore> pool;
};

}  // namespace

OpenPools::~OpenPools() {
  for (const auto& head : heads_)
    for (Node* node = head.load(std::memory_order_relaxed); node != nullptr;) delete std::exchange(node, node->next);
}

OpenPools::Node* OpenPools::node_of(std::string_view name) const noexcept {
  Node* node = heads_[bucket_of(name)].load(std::memory_order_acquire);
  while (node != nullptr && node->name != name) node = node->next;
  return node;
}

std::shared_ptr<PoolCore> OpenPools::find(std::string_view name) const noexcept {
  const Node* const node = node_of(name);
  if (node == nullptr || !node->open.load(std::memory_order_acquire)) return nullptr;
  return node->pool[thread_number() % owners];
}

void OpenPools::publish(std::string_view name, const std::shared_ptr<PoolCore>& pool) {
  auto node = std::make_unique<Node>();
  node->name = name;
  node->open.store(!closed_, std::memory_order_relaxed);
  for (auto& owner : node->pool) owner = std::shared_ptr<PoolCore>(std::make_shared<Owner>(pool), pool.get());
  auto& head = heads_[bucket_of(name)];
  node->next = head.load(std::memory_order_relaxed);
  head.store(node.release(), std::memory_order_release);
}

void OpenPools::withdraw(std::string_view name) noexcept {
  if (Node* const node = node_of(name)) node->open.store(false, std::memory_order_release);
}

void OpenPools::close() noexcept {
  closed_ = true;
  for (const auto& head : heads_)
    for (Node* node = head.load(std::memory_order_relaxed); node != nullptr; node = node->next)
      node->open.store(false, std::memory_order_release);
}

}  // namespace statehouse::detail
