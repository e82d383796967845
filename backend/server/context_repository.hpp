#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace statehouse {
class AppState;
class Pool;
}  // namespace statehouse

namespace statehouse::server {

namespace asio = boost::asio;

struct StoredBlock {
  std::string document;
  std::string block;
  std::string context;  ///< JSON, byte for byte as it was stored.
};

/// Names a block; as the start of a page, the one before it. Default: before all blocks.
struct BlockKey {
  std::string document;
  std::string block;
};

/// Blocks of one snapshot, in the order of document and block. A page ends early where its contexts reach 8 MiB.
struct BlockPage {
  std::vector<StoredBlock> blocks;
  bool more = false;
};

/// The pattern of a search that the REGEXP function does not understand, or that could take it too long; `what()` says
/// why.
class InvalidPattern : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// As many searches run already as are let.
class TooManySearches : public std::runtime_error {
 public:
  TooManySearches() : std::runtime_error("too many searches at once, try again later") {}
};

/// The table `context` of the database of the same name. Throws Error like Pool; references are to outlive the
/// awaitable.
class ContextRepository {
 public:
  explicit ContextRepository(AppState& state) noexcept : state_(state) {}

  /// Inserts or replaces; true when it was inserted.
  asio::awaitable<bool> put(const BlockKey& key, const std::string& context) const;
  asio::awaitable<std::optional<std::string>> get(const BlockKey& key) const;
  /// True when there was one.
  asio::awaitable<bool> erase(const BlockKey& key) const;

  /// The blocks of `start.document` behind `start`.
  asio::awaitable<BlockPage> list(const BlockKey& start) const;
  /// The number of blocks that were deleted.
  asio::awaitable<std::int64_t> erase_document(const std::string& document) const;

  /// The blocks behind `start` whose context matches a regular expression, at most `limit`. A search may read
  /// everything there is; so that one connection is left for other reads, further searches than that are refused.
  /// Throws InvalidPattern and TooManySearches.
  asio::awaitable<BlockPage> search(const std::string& pattern, const BlockKey& start, std::size_t limit) const;

 private:
  asio::awaitable<Pool> open_pool() const;

  AppState& state_;
  mutable std::atomic<std::size_t> searches_{0};  // that run now
};

}  // namespace statehouse::server
