#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <memory>

#include "http_limits.hpp"
#include "http_message.hpp"

namespace statehouse::server {

/// One HTTP/1.1 connection: receives a request, has it handled, answers, and so on, in order. It never reads ahead of
/// the request it handles, so a client that sends faster is slowed down by TCP.
///
/// All but `finish` and `abort` runs on the socket's executor, a strand. `limits` and `handler` outlive the coroutines.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(asio::ip::tcp::socket socket, const HttpLimits& limits, const HttpHandler& handler);

  /// Serves until one side has had enough.
  asio::awaitable<void> run();
  /// Says 503 and closes.
  asio::awaitable<void> refuse();

  /// Closes as soon as no request is being received, handled or answered. From any thread.
  void finish();
  /// Closes the connection, whatever goes on. From any thread.
  void abort();

  asio::any_io_executor get_executor() { return socket_.get_executor(); }

 private:
  enum class phase { idle, receiving, handling, sending };
  struct Incoming;

  // These give false when the connection has nothing more to serve.
  asio::awaitable<bool> serve_one();
  asio::awaitable<bool> wait_for_request();
  asio::awaitable<bool> receive(Incoming& incoming);
  asio::awaitable<bool> send(HttpResponse& response, const Incoming& incoming, bool keep_alive);
  asio::awaitable<void> send_stream(HttpResponse& response, const Incoming& incoming);
  asio::awaitable<void> hang_up();

  void check_header(Incoming& incoming);
  void explain(const boost::system::error_code& failure, Incoming& incoming);
  void enter(phase next, std::chrono::milliseconds limit);
  void enter_handling();
  void on_timer();
  void stop_reading();
  void close();

  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  const HttpLimits& limits_;
  const HttpHandler& handler_;
  phase phase_ = phase::idle;
  bool expired_ = false;  // the time limit of this phase has passed
  bool finishing_ = false;
  std::shared_ptr<HttpStream> stream_;  // while it is being sent
};

}  // namespace statehouse::server
