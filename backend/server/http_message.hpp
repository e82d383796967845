#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace statehouse::server {

namespace asio = boost::asio;

/// What a handler sees of a request that has arrived completely.
struct HttpRequest {
  std::string method;  ///< As sent, but "GET" for HEAD: the session leaves out the body by itself.
  std::string target;  ///< As sent, still percent-encoded.
  std::string body;
};

/// The session adds Content-Length, Date, Connection and the like.
struct HttpResponse {
  unsigned status = 200;
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  const char* content_type = "application/json";  ///< Of a body that is not empty.
};

/// Answers one request. The request stays where it is until the awaitable is done, and may be moved from.
using HttpHandler = std::function<asio::awaitable<HttpResponse>(HttpRequest&)>;

/// `{"error": {"code": ..., "message": ...}}`: the code is for programs, the message for people.
HttpResponse error_response(unsigned status, std::string_view code, std::string_view message);

}  // namespace statehouse::server
