#include "state/database_threads.hpp"

#include <utility>

namespace statehouse::detail {

DatabaseThreads::DatabaseThreads(asio::any_io_executor injected, unsigned count) {
  if (!injected) injected = own_.emplace(count).get_executor();
  const auto released = std::make_shared<std::promise<void>>();
  released_ = released->get_future();
  target_ = {new asio::any_io_executor(std::move(injected)), [released](const asio::any_io_executor* executor) {
               delete executor;
               released->set_value();
             }};
}

DatabaseThreads::~DatabaseThreads() {
  target_.reset();
  released_.wait();
  own_.reset();
}

}  // namespace statehouse::detail
