#include "service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <system_error>

namespace statehouse {
namespace {

std::optional<std::int64_t> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  return error == std::errc() && stop == end && number > 0 ? std::optional(number) : std::nullopt;
}

}  // namespace

ServiceManager::ServiceManager() {
  const char* const name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr || (*name != '/' && *name != '@')) return;
  socket_ = name;
  if (socket_.size() >= sizeof(sockaddr_un::sun_path)) socket_.clear();
  const auto watched = number_in("WATCHDOG_PID");
  if (watched && *watched != ::getpid()) return;  // that of who has started us
  if (const auto interval = number_in("WATCHDOG_USEC")) watchdog_ = std::chrono::microseconds(*interval);
}

void ServiceManager::status(std::string_view text) const noexcept {
  try {
    send("STATUS=" + std::string(text));
  } catch (const std::exception&) {  // no memory for it
  }
}

void ServiceManager::extend_timeout(std::chrono::microseconds by) const noexcept {
  try {
    send("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count()));
  } catch (const std::exception&) {  // no memory for it
  }
}

void ServiceManager::send(std::string_view message) const noexcept {
  if (socket_.empty()) return;
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@') address.sun_path[0] = '\0';  // its length ends an abstract name, not a NUL
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
           reinterpret_cast<const sockaddr*>(&address), size);
  ::close(descriptor);
}

}  // namespace statehouse
