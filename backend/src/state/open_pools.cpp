#include "state/open_pools.hpp"

#include <atomic>
#include <mutex>

namespace statehouse::detail {
namespace {

/// Threads are numbered as they come, from 1; the number decides which table is theirs.
std::size_t thread_number() noexcept {
  static std::atomic<std::size_t> count{0};
  thread_local std::size_t number = 0;  // one that is computed would be looked after at each use
  if (number == 0) number = count.fetch_add(1, std::memory_order_relaxed) + 1;
  return number;
}

/// One reference to the pool, with a reference count of its own, on a cache line of its own.
struct alignas(64) Owner {
  std::shared_ptr<PoolCore> pool;
};

}  // namespace

OpenPools::Table& OpenPools::mine() const noexcept {
  return tables_[thread_number() % tables_.size()];
}

std::shared_ptr<PoolCore> OpenPools::find(std::string_view name) const noexcept {
  const Table& table = mine();
  std::lock_guard lock(table.mutex);
  const auto found = table.pools.find(name);
  return found != table.pools.end() ? found->second : nullptr;
}

void OpenPools::add(std::string_view name, const std::shared_ptr<PoolCore>& pool) {
  std::shared_ptr<PoolCore> owner(std::make_shared<Owner>(pool), pool.get());
  Table& table = mine();
  std::lock_guard lock(table.mutex);
  if (!table.closed) table.pools.insert_or_assign(std::string(name), owner);
}

void OpenPools::withdraw(std::string_view name) noexcept {
  for (Table& table : tables_) {
    Pools::node_type gone;  // destroyed when the mutex is free
    std::lock_guard lock(table.mutex);
    if (const auto found = table.pools.find(name); found != table.pools.end()) gone = table.pools.extract(found);
  }
}

void OpenPools::close() noexcept {
  for (Table& table : tables_) {
    Pools gone;
    std::lock_guard lock(table.mutex);
    table.closed = true;
    gone.swap(table.pools);
  }
}

}  // namespace statehouse::detail
