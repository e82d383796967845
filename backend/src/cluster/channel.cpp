#include "cluster/channel.hpp"

#include <array>
#include <utility>

#include "cluster/encoder.hpp"

namespace statehouse::detail {
namespace {

constexpr std::size_t receive_bytes = std::size_t{64} << 10;

}  // namespace

Channel::Channel(std::string address, const Patience& patience)
    : address_(std::move(address)), socket_(NodeAddress(address_), patience) {
  socket_.send(wire::hello(), patience);
}

/// Memory is made as the bytes come, so that a header that lies costs nothing.
void Channel::fill(std::size_t bytes, const Patience& patience) {
  std::array<char, receive_bytes> part;
  while (buffer_.size() < bytes) buffer_.append(part.data(), socket_.receive(part, patience));
}

wire::Response Channel::receive(const Patience& patience) {
  fill(wire::Header::bytes, patience);
  const wire::Header header = wire::decode_header(std::string_view(buffer_).substr(0, wire::Header::bytes));
  const std::size_t end = wire::Header::bytes + header.body_bytes();
  fill(end, patience);
  std::string body = buffer_.substr(wire::Header::bytes, header.body_bytes());
  buffer_.erase(0, end);
  return wire::decode(header, std::move(body));
}

}  // namespace statehouse::detail
