#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "eventually.hpp"

namespace statehouse::test {

struct RawReply {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;
};

/// One TCP connection to a server on this machine that speaks HTTP, or anything else, as exactly as the test says. Used
/// by one thread at a time. Waits for anything as long as a test has patience; throws std::runtime_error where the
/// reply does not come.
class RawHttp {
 public:
  explicit RawHttp(unsigned short port, int receive_buffer = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{patience.count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (receive_buffer > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect");
    }
  }
  ~RawHttp() { ::close(socket_); }
  RawHttp(const RawHttp&) = delete;
  RawHttp& operator=(const RawHttp&) = delete;

  /// False when the server takes no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }

  /// The next reply; interim ones (1xx) count as replies.
  RawReply receive(bool head = false) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) receive_more();
    RawReply reply = parse_header(received_.substr(0, end + 2));
    received_.erase(0, end + 4);
    const auto length = reply.headers.find("content-length");
    if (head || length == reply.headers.end()) return reply;
    const std::size_t size = std::stoul(length->second);
    while (received_.size() < size) receive_more();
    reply.body = received_.substr(0, size);
    received_.erase(0, size);
    return reply;
  }

  /// Sends one request with a Host header and, where there is a body, its length; gives the reply.
  RawReply request(const std::string& method, const std::string& target, const std::string& body = {},
                   const std::string& headers = {}) {
    send(text(method, target, body, headers));
    return receive(method == "HEAD");
  }

  static std::string text(const std::string& method, const std::string& target, const std::string& body = {},
                          const std::string& headers = {}) {
    const std::string length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return method + ' ' + target + " HTTP/1.1\r\nHost: localhost\r\n" + length + headers + "\r\n" + body;
  }

  /// The next server-sent event, or comment, of a reply without a length.
  std::string receive_event() {
    std::size_t end = 0;
    while ((end = received_.find("\n\n")) == std::string::npos) receive_more();
    std::string event = received_.substr(0, end);
    received_.erase(0, end + 2);
    return event;
  }

  /// True when the server closes the connection without another byte.
  bool ends() {
    char byte = 0;
    return received_.empty() && ::recv(socket_, &byte, 1, 0) == 0;
  }

  /// Reads until the connection ends, gracefully or not, and gives the number of bytes.
  std::size_t drain() {
    std::size_t total = received_.size();
    char buffer[65536];
    for (ssize_t count = 0; (count = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;)
      total += static_cast<std::size_t>(count);
    return total;
  }

 private:
  void receive_more() {
    char buffer[65536];
    const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count <= 0) throw std::runtime_error("no reply, after: " + received_.substr(0, 200));
    received_.append(buffer, static_cast<std::size_t>(count));
  }

  static RawReply parse_header(std::string_view text) {
    RawReply reply;
    if (!text.starts_with("HTTP/1.")) throw std::runtime_error("no HTTP reply: " + std::string(text.substr(0, 200)));
    reply.status = std::stoi(std::string(text.substr(9, 3)));
    for (std::size_t at = text.find("\r\n") + 2; at < text.size();) {
      const std::size_t end = text.find("\r\n", at);
      const std::string_view line = text.substr(at, end - at);
      const std::size_t colon = line.find(": ");
      std::string name(line.substr(0, colon));
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      reply.headers[name] = line.substr(colon + 2);
      at = end + 2;
    }
    return reply;
  }

  int socket_;
  std::string received_;
};

}  // namespace statehouse::test
