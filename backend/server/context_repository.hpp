#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace statehouse {
class AppState;
}

namespace statehouse::server {

namespace asio = boost::asio;

struct StoredBlock {
  std::string document;
  std::string block;
  std::string context;  ///< JSON, byte for byte as it was stored.
};

/// Blocks in the order of document and block. A page ends early when its contexts exceed 8 MiB.
struct BlockPage {
  std::vector<StoredBlock> blocks;
  bool more = false;
};

/// Where a page begins: behind this block. Empty strings sort before everything.
struct PageStart {
  std::string document;
  std::string block;
};

/// The pattern of a search that the REGEXP function does not understand; `what()` says why.
class InvalidPattern : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The table `context` of the database of the same name. Throws Error like Pool; references are to outlive the
/// awaitable.
class ContextRepository {
 public:
  /// Longest time a page may take to collect: a search reads the whole table when nothing matches.
  static constexpr std::chrono::milliseconds page_timeout{5000};

  explicit ContextRepository(AppState& state) noexcept : state_(state) {}

  /// Inserts or replaces; true when it was inserted.
  asio::awaitable<bool> put(const std::string& document, const std::string& block, const std::string& context) const;
  asio::awaitable<std::optional<std::string>> get(const std::string& document, const std::string& block) const;
  /// True when there was one.
  asio::awaitable<bool> erase(const std::string& document, const std::string& block) const;

  /// The blocks of a document behind `start`, in one snapshot.
  asio::awaitable<BlockPage> list(const std::string& document, const std::string& start) const;
  /// The number of blocks that were deleted.
  asio::awaitable<std::int64_t> erase_document(const std::string& document) const;

  /// The blocks behind `start` whose context matches the regular expression. Throws InvalidPattern.
  asio::awaitable<BlockPage> search(const std::string& pattern, const PageStart& start, std::size_t limit) const;

 private:
  AppState& state_;
};

}  // namespace statehouse::server
