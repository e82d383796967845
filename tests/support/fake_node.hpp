#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cluster/wire.hpp"

namespace statehouse::test {

/// What a node does with a request.
struct Reply {
  enum class kind { answer, hang_up, silence, endless };  ///< `endless`: the message, again and again.
  kind what = kind::answer;
  std::string message{};
};

/// A node of a test's own on the loopback interface: says that it leads, opens and prepares whatever it is asked to,
/// and does with the rest what the test says. Counts what it was asked, but for what every connection begins with.
class FakeNode {
 public:
  using Script = std::function<Reply(detail::wire::request, const std::string& body)>;

  explicit FakeNode(Script script = {}) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no fake node");
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    leader_ = address_;
    thread_ = std::thread([this] { run(); });
  }
  ~FakeNode() {
    over_ = true;
    thread_.join();
    for (const auto& [descriptor, input] : clients_) ::close(descriptor);
    ::close(listener_);
  }
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  const std::string& address() const noexcept { return address_; }
  /// Whom it calls the leader.
  void set_leader(std::string address) {
    std::lock_guard lock(mutex_);
    leader_ = std::move(address);
  }
  int asked(detail::wire::request type) const {
    std::lock_guard lock(mutex_);
    const auto found = counts_.find(type);
    return found == counts_.end() ? 0 : found->second;
  }

  /// How often it still says that it has not applied what it leads with. Whether it has is not counted as asked.
  std::atomic<int> behind{0};

  /// Closes all its connections, and goes on; comes back when that is done.
  void hang_up_on_all() noexcept {
    hanging_up_ = true;
    while (hanging_up_) std::this_thread::yield();
  }

  static Reply answer(detail::wire::response type, const std::string& body) {
    std::string header(8, '\0');
    header[0] = static_cast<char>(body.size() / 8);
    header[4] = static_cast<char>(type);
    return {Reply::kind::answer, header + body};
  }
  static std::string number(std::uint64_t value) {
    std::string bytes;
    for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i));
    return bytes;
  }
  static std::string text(std::string_view value) {
    std::string bytes(value);
    bytes += '\0';
    bytes.resize((bytes.size() + 7) / 8 * 8);
    return bytes;
  }
  static Reply failure(std::uint64_t code, std::string_view message) {
    return answer(detail::wire::response::failure, number(code) + text(message));
  }
  static Reply result(std::uint64_t rowid = 0, std::uint64_t changes = 0) {
    return answer(detail::wire::response::result, number(rowid) + number(changes));
  }
  static Reply hang_up() { return {Reply::kind::hang_up}; }

 private:
  struct Client {
    std::string input{};
    bool greeted = false;
    std::string endless{};
    std::size_t sent = 0;  // of `endless`
  };

  void run() {
    while (!over_) {
      if (hanging_up_) {
        for (const auto& [descriptor, input] : clients_) ::close(descriptor);
        clients_.clear();
        hanging_up_ = false;
      }
      std::vector<pollfd> watched{{listener_, POLLIN, 0}};
      for (const auto& [descriptor, client] : clients_)
        watched.push_back({descriptor, static_cast<short>(client.endless.empty() ? POLLIN : POLLIN | POLLOUT), 0});
      if (::poll(watched.data(), watched.size(), 5) <= 0) continue;
      if (watched[0].revents != 0) clients_.emplace(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), Client{});
      for (std::size_t i = 1; i < watched.size(); ++i)
        if ((watched[i].revents & POLLOUT) != 0)
          go_on(watched[i].fd);
        else if (watched[i].revents != 0)
          read(watched[i].fd);
    }
  }

  void go_on(int descriptor) {
    Client& client = clients_[descriptor];
    const ssize_t sent = ::send(descriptor, client.endless.data() + client.sent, client.endless.size() - client.sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) client.sent = (client.sent + static_cast<std::size_t>(sent)) % client.endless.size();
    if (sent >= 0 || errno == EAGAIN) return;
    ::close(descriptor);
    clients_.erase(descriptor);
  }

  void read(int descriptor) {
    char part[4096];
    const ssize_t got = ::recv(descriptor, part, sizeof part, 0);
    Client& client = clients_[descriptor];
    if (got > 0) client.input.append(part, static_cast<std::size_t>(got));
    if (got <= 0 || !obey(descriptor, client)) {
      ::close(descriptor);
      clients_.erase(descriptor);
    }
  }

  bool obey(int descriptor, Client& client) {
    std::string& input = client.input;
    if (!client.greeted && input.size() >= 8) {
      client.greeted = true;
      input.erase(0, 8);
    }
    while (client.greeted && input.size() >= 8) {
      const std::size_t size =
          8 + 8 * (static_cast<unsigned char>(input[0]) + 256U * static_cast<unsigned char>(input[1]));
      if (input.size() < size) return true;
      const Reply reply = reply_to(static_cast<detail::wire::request>(input[4]), input.substr(8, size - 8));
      input.erase(0, size);
      if (reply.what == Reply::kind::hang_up) return false;
      if (reply.what == Reply::kind::endless) client.endless = reply.message;
      if (reply.what == Reply::kind::answer)
        ::send(descriptor, reply.message.data(), reply.message.size(), MSG_NOSIGNAL);
    }
    return true;
  }

  Reply reply_to(detail::wire::request type, const std::string& body) {
    using detail::wire::request;
    using detail::wire::response;
    std::string leader;
    if (type == request::query_sql && body.find("SELECT 1") != std::string::npos)
      return behind-- > 0 ? failure(10250, "not leader") : answer(response::rows, number(0) + std::string(8, '\xff'));
    if (type == request::exec_sql && std::string_view(body).substr(8).starts_with(text("PRAGMA cache_spill = OFF;")))
      return result();
    {
      std::lock_guard lock(mutex_);
      ++counts_[type];
      leader = leader_;
    }
    switch (type) {
      case request::leader: return answer(response::server, number(leader.empty() ? 0 : 1) + text(leader));
      case request::client: return answer(response::welcome, number(15000));
      case request::open: return answer(response::database, number(0));
      default: break;
    }
    if (script_) return script_(type, body);
    return type == request::prepare ? answer(response::statement, number(0) + number(0)) : result();
  }

  const Script script_;
  int listener_ = -1;
  std::string address_;
  std::map<int, Client> clients_;
  mutable std::mutex mutex_;
  std::string leader_;
  std::map<detail::wire::request, int> counts_;
  std::atomic<bool> hanging_up_{false};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace statehouse::test
