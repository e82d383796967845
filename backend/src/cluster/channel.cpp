#include "cluster/channel.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/deadline.hpp"
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

wire::Header Channel::next_header(const Patience& patience) {
  fill(wire::Header::bytes, patience);
  return wire::decode_header(std::string_view(buffer_).substr(0, wire::Header::bytes));
}

wire::Response Channel::receive(const Patience& patience) {
  const wire::Header header = next_header(patience);
  if (header.is(wire::response::files)) wire::fail("an answer to another question");
  const std::size_t end = wire::Header::bytes + header.body_bytes();
  fill(end, patience);
  std::string body = buffer_.substr(wire::Header::bytes, header.body_bytes());
  buffer_.erase(0, end);
  return wire::decode(header, std::move(body));
}

void Channel::receive_files(wire::FilesReader::Take take, const Interrupter& interrupter, TimeLimit silence) {
  const auto patience = [&] { return Patience{interrupter, deadline(interrupter.clock().now(), silence)}; };
  const wire::Header header = next_header(patience());
  if (!header.is(wire::response::files)) {
    expect<wire::Empty>(receive(patience()));
    wire::fail("an answer to another question");
  }
  buffer_.erase(0, wire::Header::bytes);
  wire::FilesReader reader(header.body_bytes(), std::move(take));
  while (reader.left() > 0) {
    fill(1, patience());
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(reader.left(), buffer_.size()));
    reader.feed(std::string_view(buffer_).substr(0, size));
    buffer_.erase(0, size);
  }
}

}  // namespace statehouse::detail
