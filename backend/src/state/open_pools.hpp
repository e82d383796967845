#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace statehouse::detail {

class PoolCore;

/// The pools that are open, by name, for the path of every request: found without a lock, and without a counter that
/// all threads write to.
///
/// Entries are added and marked, never removed, so a reader needs no protection. Each pool has several equal owners,
/// and a thread takes its copy from one of its own: reference counts that two cores change in turn cost more than all
/// the rest of a look-up.
class OpenPools {
 public:
  OpenPools() = default;
  OpenPools(const OpenPools&) = delete;
  OpenPools& operator=(const OpenPools&) = delete;
  ~OpenPools();

  /// From any thread at any time; null when there is none, or not any more.
  std::shared_ptr<PoolCore> find(std::string_view name) const noexcept;

  /// One thread at a time; a name once only.
  void publish(std::string_view name, const std::shared_ptr<PoolCore>& pool);
  void withdraw(std::string_view name) noexcept;
  /// Withdraws all, and what is published from now on is not found.
  void close() noexcept;

 private:
  static constexpr std::size_t owners = 8;
  static constexpr std::size_t buckets = 1024;
  struct Node {
    std::string name;
    std::array<std::shared_ptr<PoolCore>, owners> pool;
    std::atomic<bool> open{true};
    Node* next;
  };

  static std::size_t bucket_of(std::string_view name) noexcept { return std::hash<std::string_view>()(name) % buckets; }
  Node* node_of(std::string_view name) const noexcept;

  std::array<std::atomic<Node*>, buckets> heads_{};
  bool closed_ = false;
};

}  // namespace statehouse::detail
