#include "http_server.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <stdexcept>

namespace statehouse::server {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// For the log: what ends a coroutine is a mistake of ours, the connection is closed and life goes on.
void log_failure(std::string_view what, const std::exception_ptr& failure) {
  if (failure == nullptr) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    spdlog::error("{} ended by an exception: {}", what, error.what());
  }
}

}  // namespace

HttpServer::HttpServer(asio::any_io_executor executor, const tcp::endpoint& endpoint, HttpLimits limits,
                       HttpHandler handler)
    : executor_(std::move(executor)),
      limits_(limits),
      handler_(std::move(handler)),
      strand_(asio::make_strand(executor_)),
      acceptor_(strand_),
      timer_(strand_) {
  try {
    acceptor_ = tcp::acceptor(strand_, endpoint);
    endpoint_ = acceptor_.local_endpoint();
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(fmt::format("cannot listen on {} port {}: {}", endpoint.address().to_string(),
                                         endpoint.port(), error.code().message()));
  }
}

void HttpServer::start() {
  asio::co_spawn(strand_, accept(),
                 [](const std::exception_ptr& failure) { log_failure("the listener was", failure); });
}

asio::awaitable<void> HttpServer::accept() {
  while (acceptor_.is_open()) {
    const asio::any_io_executor own_strand = asio::make_strand(executor_);
    error_code failure;
    tcp::socket socket =
        co_await acceptor_.async_accept(own_strand, asio::redirect_error(asio::use_awaitable, failure));
    if (!acceptor_.is_open()) break;
    if (!failure) {
      admit(std::move(socket));
      continue;
    }
    // Out of descriptors or memory, most likely; both come back when connections end.
    spdlog::warn("cannot accept a connection: {}", failure.message());
    timer_.expires_after(std::chrono::milliseconds(100));
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, failure));
  }
}

void HttpServer::admit(tcp::socket socket) {
  if (sessions_.size() >= limits_.connections + limits_.refusals) return;
  const bool full = sessions_.size() >= limits_.connections;
  auto session = std::make_shared<HttpSession>(std::move(socket), limits_, handler_);
  sessions_.insert(session);
  asio::co_spawn(session->get_executor(), full ? session->refuse() : session->run(),
                 [this, session](const std::exception_ptr& failure) {
                   log_failure("a connection was", failure);
                   session->abort();
                   asio::post(strand_, [this, session] { remove(session); });
                 });
}

void HttpServer::remove(const std::shared_ptr<HttpSession>& session) {
  sessions_.erase(session);
  if (sessions_.empty() && !acceptor_.is_open()) timer_.cancel();
}

asio::awaitable<void> HttpServer::drain(std::chrono::milliseconds grace) {
  return asio::co_spawn(strand_, drain_here(grace), asio::use_awaitable);
}

asio::awaitable<void> HttpServer::drain_here(std::chrono::milliseconds grace) {
  error_code ignored;
  acceptor_.close(ignored);
  for (const auto& session : sessions_) session->finish();
  if (!sessions_.empty()) {
    timer_.expires_after(grace);
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (!sessions_.empty()) spdlog::warn("closing {} connections that did not finish in time", sessions_.size());
  for (const auto& session : sessions_) session->abort();
}

}  // namespace statehouse::server
