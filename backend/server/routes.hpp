#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <string_view>

#include "context_repository.hpp"
#include "http_message.hpp"

namespace statehouse {
class AppState;
}

namespace statehouse::server {

struct RequestTarget;

/// The HTTP interface of the example: which path and method does what. backend/docs/server.md describes it for its
/// users.
class Routes {
 public:
  /// `tenants`: `/tenants/{tenant}/...` has the documents of that tenant, in a database of its own.
  explicit Routes(AppState& state, bool tenants = false) noexcept : state_(state), tenants_(tenants) {}

  /// Answers every request, with an error where need be. `request` outlives the awaitable.
  asio::awaitable<HttpResponse> handle(HttpRequest& request) const;

 private:
  struct Call;
  struct Route;
  static const Route table[];

  asio::awaitable<HttpResponse> dispatch(HttpRequest& request) const;

  asio::awaitable<HttpResponse> put_block(Call& call) const;
  asio::awaitable<HttpResponse> get_block(Call& call) const;
  asio::awaitable<HttpResponse> delete_block(Call& call) const;
  asio::awaitable<HttpResponse> get_document(Call& call) const;
  asio::awaitable<HttpResponse> get_events(Call& call) const;
  asio::awaitable<HttpResponse> delete_document(Call& call) const;
  asio::awaitable<HttpResponse> search(Call& call) const;
  asio::awaitable<HttpResponse> live(Call& call) const;
  asio::awaitable<HttpResponse> ready(Call& call) const;
  asio::awaitable<HttpResponse> started(Call& call) const;
  asio::awaitable<HttpResponse> metrics(Call& call) const;
  asio::awaitable<HttpResponse> stats(Call& call) const;

  ContextRepository contexts_of(RequestTarget& target) const;

  AppState& state_;
  const bool tenants_;
  mutable std::atomic<std::size_t> searches_{0};  // that run now
};

}  // namespace statehouse::server
