#pragma once

#include <filesystem>
#include <memory>

#include "closed_loop.hpp"
#include "state/database_threads.hpp"
#include "statehouse/pool.hpp"

namespace statehouse::bench {

/// A statehouse pool on any existing database file, whatever its name, and threads of its own. Touches nothing else in
/// the file's directory, and runs no migrations. Logs to spdlog's default logger.
class PoolOnFile final : public AsyncStore {
 public:
  explicit PoolOnFile(const std::filesystem::path& file, const PoolOptions& options = {});
  /// Closes the database, on the calling thread. No operation may be under way.
  ~PoolOnFile() override;
  PoolOnFile(const PoolOnFile&) = delete;
  PoolOnFile& operator=(const PoolOnFile&) = delete;

  boost::asio::awaitable<std::optional<std::string>> read(const Key& key) override;
  boost::asio::awaitable<void> write(const Key& key, const std::string& value) override;

  Pool& pool() noexcept { return pool_; }

 private:
  detail::DatabaseThreads threads_;
  std::shared_ptr<detail::PoolCore> core_;
  Pool pool_;
};

}  // namespace statehouse::bench
