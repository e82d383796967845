#include "statehouse/detail/suspension.hpp"

#include <boost/asio/post.hpp>

namespace statehouse::detail {

Suspension::~Suspension() {
  if (link_ != nullptr) link_->target = nullptr;
}

void Suspension::resume() noexcept {
  auto executor = std::move(executor_);
  // The lambda has no associated executor, so the handler runs as part of this post and is not dispatched again.
  asio::post(executor, [handler = std::move(handler_)]() mutable { std::move(handler)(); });
}

}  // namespace statehouse::detail
