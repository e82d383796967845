#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
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

/// A body that comes bit by bit, of a length that nobody knows.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  /// The next part, as soon as there is one; empty at the end. Called again when it is sent: a client who is slow is
  /// waited for.
  virtual asio::awaitable<std::string> next() = 0;
  /// Ends it, also while `next` waits. On the executor of that.
  virtual void stop() = 0;
};

/// The session adds Content-Length, Date, Connection and the like.
struct HttpResponse {
  unsigned status = 200;
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  const char* content_type = "application/json";  ///< Of a body that is not empty.
  std::shared_ptr<HttpStream> stream{};           ///< In place of the body.
};

/// Answers one request. The request stays where it is until the awaitable is done, and may be moved from.
using HttpHandler = std::function<asio::awaitable<HttpResponse>(HttpRequest&)>;

/// `{"error": {"code": ..., "message": ...}}`: the code is for programs, the message for people.
HttpResponse error_response(unsigned status, std::string_view code, std::string_view message);

}  // namespace statehouse::server
