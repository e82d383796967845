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
class Changes;
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

/// There is no such database, and this is no request that makes one.
class NoSuchDatabase : public std::runtime_error {
 public:
  NoSuchDatabase() : std::runtime_error("no such database") {}
};

/// As many searches run already as are let.
class TooManySearches : public std::runtime_error {
 public:
  TooManySearches() : std::runtime_error("too many searches at once, try again later") {}
};

/// The table `context` of the service's own database, or of a tenant's. Throws Error like Pool, and of a tenant that is
/// not there NoSuchDatabase; this and references are to outlive the awaitable.
class ContextRepository {
 public:
  /// `searches`: that run now, of all repositories.
  ContextRepository(AppState& state, std::atomic<std::size_t>& searches) noexcept
      : state_(state), searches_(searches) {}
  /// Of `tenants/<tenant>/context`, which the first `put` makes. Throws Error where that is no name.
  ContextRepository(AppState& state, std::atomic<std::size_t>& searches, const std::string& tenant);

  /// Inserts or replaces; true when it was inserted.
  asio::awaitable<bool> put(const BlockKey& key, const std::string& context) const;
  asio::awaitable<std::optional<std::string>> get(const BlockKey& key) const;
  /// True when there was one.
  asio::awaitable<bool> erase(const BlockKey& key) const;

  /// The blocks of `start.document` behind `start`.
  asio::awaitable<BlockPage> list(const BlockKey& start) const;
  /// Hears of changes of any block from now on.
  asio::awaitable<Changes> changes() const;
  /// The number of blocks that were deleted.
  asio::awaitable<std::int64_t> erase_document(const std::string& document) const;

  /// The blocks behind `start` whose context matches a regular expression, at most `limit`. A search may read
  /// everything there is; so that one connection is left for other reads, further searches than that are refused.
  /// Throws InvalidPattern and TooManySearches.
  asio::awaitable<BlockPage> search(const std::string& pattern, const BlockKey& start, std::size_t limit) const;

 private:
  enum class missing { is_made, is_an_error };
  asio::awaitable<Pool> open_pool(missing database = missing::is_an_error) const;

  AppState& state_;
  std::atomic<std::size_t>& searches_;
  const std::string tenants_database_;  // empty: it is the service's own
};

}  // namespace statehouse::server
