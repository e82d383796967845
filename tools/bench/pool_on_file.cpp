#include "pool_on_file.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "pool/pool_access.hpp"
#include "pool/pool_core.hpp"

namespace statehouse::bench {
namespace {

std::shared_ptr<detail::PoolCore> open(const std::filesystem::path& file, const PoolOptions& options,
                                       const detail::DatabaseThreads& threads) {
  // PoolCore::open would make a file that is not there.
  if (!std::filesystem::is_regular_file(file))
    throw std::runtime_error(file.string() + " is not there or no file: give the path of an existing database");
  const std::shared_ptr<Clock> clock = make_steady_clock();
  return detail::PoolCore::open({.name = file.stem().string(),
                                 .path = std::filesystem::canonical(file),
                                 .options = detail::share_options(options),
                                 .executor = threads.executor(),
                                 .clock = clock,
                                 .logger = spdlog::default_logger()},
                                nullptr, std::make_shared<detail::Interrupter>(clock));
}

}  // namespace

PoolOnFile::PoolOnFile(const std::filesystem::path& file, const PoolOptions& options)
    : threads_({}, std::max(4U, std::thread::hardware_concurrency())),  // as an AppState has
      core_(open(file, options, threads_)),
      pool_(detail::PoolAccess::make<Pool>(core_)) {}

PoolOnFile::~PoolOnFile() {
  core_->close(std::make_exception_ptr(Error(errc::closed, "the benchmark is over")), {});
}

boost::asio::awaitable<std::optional<std::string>> PoolOnFile::read(const Key& key) {
  return pool_.query_optional<std::string>(read_sql, key.document, key.block);
}

boost::asio::awaitable<void> PoolOnFile::write(const Key& key, const std::string& value) {
  co_await pool_.execute(write_sql, key.document, key.block, value);
}

}  // namespace statehouse::bench
