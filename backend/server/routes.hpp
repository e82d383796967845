#pragma once

#include <boost/asio/awaitable.hpp>
#include <string_view>

#include "context_repository.hpp"
#include "http_message.hpp"

namespace statehouse {
class AppState;
}

namespace statehouse::server {

/// The HTTP interface of the example: which path and method does what. backend/docs/server.md describes it for its
/// users.
class Routes {
 public:
  explicit Routes(AppState& state) noexcept : state_(state), contexts_(state) {}

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
  asio::awaitable<HttpResponse> delete_document(Call& call) const;
  asio::awaitable<HttpResponse> search(Call& call) const;
  asio::awaitable<HttpResponse> live(Call& call) const;
  asio::awaitable<HttpResponse> ready(Call& call) const;
  asio::awaitable<HttpResponse> started(Call& call) const;
  asio::awaitable<HttpResponse> metrics(Call& call) const;
  asio::awaitable<HttpResponse> stats(Call& call) const;

  AppState& state_;
  ContextRepository contexts_;
};

}  // namespace statehouse::server
