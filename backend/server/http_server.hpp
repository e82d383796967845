#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <memory>
#include <set>

#include "http_message.hpp"
#include "http_session.hpp"

namespace statehouse::server {

/// Listens, and serves each connection in a coroutine on a strand of its own.
///
/// Lifetime: outlives every thread that runs the executor.
class HttpServer {
 public:
  /// Binds; connections wait until `start`. Throws std::runtime_error when that cannot be done.
  HttpServer(asio::any_io_executor executor, const asio::ip::tcp::endpoint& endpoint, HttpLimits limits,
             HttpHandler handler);

  /// Accepts from now on.
  void start();

  /// Stops accepting, closes idle connections, and gives the others `grace` to finish their request. Then closes them
  /// all; handlers that still run are not waited for.
  asio::awaitable<void> drain(std::chrono::milliseconds grace);

  /// With the port that was chosen where 0 was asked for.
  const asio::ip::tcp::endpoint& endpoint() const noexcept { return endpoint_; }

 private:
  asio::awaitable<void> accept();
  asio::awaitable<void> drain_here(std::chrono::milliseconds grace);
  void admit(asio::ip::tcp::socket socket);
  void remove(const std::shared_ptr<HttpSession>& session);

  const asio::any_io_executor executor_;
  const HttpLimits limits_;
  const HttpHandler handler_;

  // What follows is only touched on the strand, once started.
  asio::strand<asio::any_io_executor> strand_;
  asio::ip::tcp::acceptor acceptor_;
  asio::ip::tcp::endpoint endpoint_;
  asio::steady_timer timer_;  // the pause after a failed accept; once the acceptor is closed, the end of the grace time
  std::set<std::shared_ptr<HttpSession>> sessions_;
};

}  // namespace statehouse::server
