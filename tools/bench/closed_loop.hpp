#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>

#include "measurement.hpp"

namespace statehouse::bench {

/// A store that coroutines can await.
class AsyncStore {
 public:
  virtual ~AsyncStore() = default;
  virtual boost::asio::awaitable<std::optional<std::string>> read(const Key& key) = 0;
  virtual boost::asio::awaitable<void> write(const Key& key, const std::string& value) = 0;
};

/// `load.in_flight` coroutines on one io_context that the calling thread runs, each with one operation at a time.
Measurement run_closed_loop(boost::asio::io_context& io, AsyncStore& store, const Load& load);

}  // namespace statehouse::bench
