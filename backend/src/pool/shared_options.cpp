#include "pool/shared_options.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "pool/checkpoint_options.hpp"

namespace statehouse::detail {

SharedOptions share_options(PoolOptions options) {
  options = with_checkpoint_patience(std::move(options));
  if (options.in_memory) options.mode = pool_mode::single;
  if (options.readers == 0) options.readers = std::clamp(std::thread::hardware_concurrency(), 2U, 4U);
  return std::make_shared<const PoolOptions>(std::move(options));
}

}  // namespace statehouse::detail
