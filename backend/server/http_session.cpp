#include "http_session.hpp"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <ctime>
#include <optional>

namespace statehouse::server {

namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t buffer_bytes = std::size_t{32} << 10;
constexpr std::chrono::milliseconds linger_timeout{1000};

using Outgoing = http::response<http::string_body>;

std::string http_date() {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::time(nullptr)));
}

}  // namespace

/// A request while it arrives, and what its answer depends on.
struct HttpSession::Incoming {
  http::request_parser<http::string_body> parser;
  std::optional<HttpResponse> refusal;  // what to answer instead of having it handled
  steady_clock::time_point since = steady_clock::now();

  bool head() const { return parser.get().method() == http::verb::head; }
};

HttpSession::HttpSession(asio::ip::tcp::socket socket, const HttpLimits& limits, const HttpHandler& handler)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      buffer_(buffer_bytes),
      limits_(limits),
      handler_(handler) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

asio::awaitable<void> HttpSession::run() {
  bool more = true;
  while (more) more = co_await serve_one();
  co_await hang_up();
}

asio::awaitable<void> HttpSession::refuse() {
  const Incoming nothing;
  HttpResponse response = error_response(503, "overloaded", "too many connections, try again later");
  response.headers.emplace_back("Retry-After", "1");
  co_await send(response, nothing, false);
  co_await hang_up();
}

asio::awaitable<bool> HttpSession::serve_one() {
  const bool waiting = co_await wait_for_request();
  if (!waiting) co_return false;

  Incoming incoming;
  const bool arrived = co_await receive(incoming);
  if (incoming.refusal) co_return co_await send(*incoming.refusal, incoming, false);
  if (!arrived) co_return false;

  auto& message = incoming.parser.get();
  HttpRequest request{std::string(incoming.head() ? "GET" : message.method_string()), std::string(message.target()),
                      std::move(message.body())};
  enter_handling();
  HttpResponse response = co_await handler_(request);
  if (response.stream != nullptr) {
    co_await send_stream(response, incoming);
    co_return false;
  }
  co_return co_await send(response, incoming, message.keep_alive() && !finishing_);
}

asio::awaitable<bool> HttpSession::wait_for_request() {
  if (buffer_.size() > 0) co_return true;
  if (finishing_) co_return false;
  enter(phase::idle, limits_.idle_timeout);
  error_code failure;
  const auto space = buffer_.prepare(buffer_bytes / 4);
  const std::size_t count = co_await socket_.async_read_some(space, asio::redirect_error(asio::use_awaitable, failure));
  buffer_.commit(count);
  co_return !failure;
}

asio::awaitable<bool> HttpSession::receive(Incoming& incoming) {
  enter(phase::receiving, limits_.request_timeout);
  auto& parser = incoming.parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  parser.body_limit(limits_.body_bytes);

  error_code failure;
  co_await http::async_read_header(socket_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failure));
  if (!failure) {
    check_header(incoming);
    if (incoming.refusal) co_return false;
    if (parser.get().count(http::field::expect) > 0) {
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto bytes = asio::buffer(go_on);
      enter(phase::sending, limits_.request_timeout);
      co_await asio::async_write(socket_, bytes, asio::redirect_error(asio::use_awaitable, failure));
      enter(phase::receiving, limits_.request_timeout);
    }
  }
  if (!failure) co_await http::async_read(socket_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failure));
  if (failure) explain(failure, incoming);
  co_return !failure;
}

/// What Beast lets pass.
void HttpSession::check_header(Incoming& incoming) {
  const auto& header = incoming.parser.get();
  const auto expect = header[http::field::expect];
  if (header.version() >= 11 && header.count(http::field::host) != 1) {
    incoming.refusal = error_response(400, "bad_request", "exactly one Host header is required");
  } else if (header.count(http::field::transfer_encoding) > 0 && !incoming.parser.chunked()) {
    incoming.refusal = error_response(501, "not_implemented", "the only transfer coding supported is chunked");
  } else if (!expect.empty() && !boost::beast::iequals(expect, "100-continue")) {
    incoming.refusal = error_response(417, "expectation_failed", "the only expectation supported is 100-continue");
  }
}

void HttpSession::explain(const error_code& failure, Incoming& incoming) {
  static const error_code of_malformed = http::error::bad_method;
  if (failure == http::error::end_of_stream) {
    // The client has gone without beginning a request.
  } else if (expired_) {
    incoming.refusal = error_response(408, "request_timeout", "the request did not arrive in time");
  } else if (failure == http::error::body_limit) {
    incoming.refusal = error_response(413, "body_too_large", fmt::format("the limit is {} bytes", limits_.body_bytes));
  } else if (failure == http::error::header_limit || failure == http::error::buffer_overflow) {
    incoming.refusal =
        error_response(431, "header_too_large", fmt::format("the limit is {} bytes", limits_.header_bytes));
  } else if (failure.category() == of_malformed.category()) {
    incoming.refusal = error_response(400, "bad_request", "this is no HTTP request: " + failure.message());
  }
}

asio::awaitable<bool> HttpSession::send(HttpResponse& response, const Incoming& incoming, bool keep_alive) {
  const auto& request = incoming.parser.get();
  const std::size_t length = response.body.size();
  Outgoing message(static_cast<http::status>(response.status), request.version());
  message.set(http::field::date, http_date());
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  if (length > 0) message.set(http::field::content_type, response.content_type);
  if (message.result() != http::status::no_content) message.content_length(length);
  message.body() = std::move(response.body);

  enter(phase::sending, limits_.request_timeout);
  error_code failure;
  http::response_serializer<http::string_body> serializer(message);
  if (incoming.head()) {
    co_await http::async_write_header(socket_, serializer, asio::redirect_error(asio::use_awaitable, failure));
  } else {
    co_await http::async_write(socket_, serializer, asio::redirect_error(asio::use_awaitable, failure));
  }
  const std::chrono::duration<double, std::milli> took = steady_clock::now() - incoming.since;
  spdlog::debug("{} {} -> {}, {} bytes, {:.2f} ms, {}", std::string_view(request.method_string()),
                std::string_view(request.target()), response.status, length, took.count(),
                failure ? failure.message() : "sent");
  co_return !failure && keep_alive;
}

/// The end of the connection is the end of the body.
asio::awaitable<void> HttpSession::send_stream(HttpResponse& response, const Incoming& incoming) {
  Outgoing message(static_cast<http::status>(response.status), incoming.parser.get().version());
  message.set(http::field::date, http_date());
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.set(http::field::content_type, response.content_type);
  message.keep_alive(false);

  enter(phase::sending, limits_.request_timeout);
  error_code failure;
  http::response_serializer<http::string_body> serializer(message);
  co_await http::async_write_header(socket_, serializer, asio::redirect_error(asio::use_awaitable, failure));
  if (incoming.head() || failure) co_return;
  stream_ = response.stream;
  while (!failure && !finishing_) {
    enter_handling();
    const std::string part = co_await stream_->next();
    if (part.empty()) break;
    enter(phase::sending, limits_.request_timeout);
    const auto bytes = asio::buffer(part);
    co_await asio::async_write(socket_, bytes, asio::redirect_error(asio::use_awaitable, failure));
  }
  stream_ = nullptr;
}

/// Closing a socket with unread input resets the connection, and the client may lose the last answer. So the sending
/// side goes first, and what the client still sends is thrown away for a moment.
asio::awaitable<void> HttpSession::hang_up() {
  enter(phase::idle, linger_timeout);
  error_code failure;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, failure);
  while (!failure) {
    buffer_.clear();
    const auto space = buffer_.prepare(buffer_bytes);
    co_await socket_.async_read_some(space, asio::redirect_error(asio::use_awaitable, failure));
  }
  close();
}

void HttpSession::finish() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->finishing_ = true;
    if (self->phase_ == phase::idle) self->stop_reading();
    if (self->stream_ != nullptr) self->stream_->stop();
  });
}

void HttpSession::abort() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->close();
    if (self->stream_ != nullptr) self->stream_->stop();
  });
}

void HttpSession::enter(phase next, std::chrono::milliseconds limit) {
  phase_ = next;
  expired_ = false;
  timer_.expires_after(limit);
  timer_.async_wait([self = shared_from_this()](const error_code&) { self->on_timer(); });
}

void HttpSession::enter_handling() {
  phase_ = phase::handling;
  timer_.expires_at(steady_clock::time_point::max());
}

void HttpSession::on_timer() {
  if (timer_.expiry() > steady_clock::now()) return;  // set anew meanwhile
  expired_ = true;
  if (phase_ == phase::sending) {
    close();
  } else {
    stop_reading();
  }
}

/// Cancelling would miss a composed read that is between two steps; this lasts, and an answer can still be sent.
void HttpSession::stop_reading() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_receive, ignored);
}

void HttpSession::close() {
  error_code ignored;
  socket_.close(ignored);
  timer_.expires_at(steady_clock::time_point::max());
}

}  // namespace statehouse::server
