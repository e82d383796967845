#include "cluster/link.hpp"

#include <algorithm>

#include "base/deadline.hpp"
#include "cluster/server_code.hpp"

namespace statehouse::detail {
namespace {

/// That much is sent with one patience.
constexpr std::size_t most_at_once = std::size_t{256} << 10;

Patience patience_of(const Leader& leader, const Interrupter& interrupter) {
  return {interrupter, deadline(interrupter.clock().now(), leader.options().dial_timeout)};
}

}  // namespace

void Link::connect() {
  channel_ = leader_->connect(interrupter_, database_);
  ++generation_;
}

void Link::lose(const std::string& why, bool executed) {
  const std::string node = channel_ != nullptr ? channel_->address() + ": " : "";
  drop();
  throw Lost(node + why, executed);
}

void Link::lose_harmlessly(const Refusal& refusal) {
  const server_verdict verdict = judge(refusal);
  if (verdict == server_verdict::unknown || verdict == server_verdict::storage) lose(refusal.what(), false);
  throw refusal;
}

void Link::send(std::string_view request, bool executed_in_parts) {
  // A node that went while nothing was asked has executed nothing; the kernel would still take the request.
  if (channel_->disturbed()) lose("the node has closed the connection", false);
  try {
    for (; !request.empty(); request.remove_prefix(std::min(request.size(), most_at_once)))
      channel_->send(request.substr(0, most_at_once), patience_of(*leader_, interrupter_));
  } catch (const NetworkError& error) {
    lose(error.what(), executed_in_parts);
  }
}

void Link::send_several(std::string_view requests) {
  send(requests, true);
}

wire::Response Link::receive_any() {
  for (;;) {
    try {
      return channel_->receive(patience_of(*leader_, interrupter_));
    } catch (const NetworkError& error) {
      const bool slow = error.how() == NetworkError::kind::timed_out && !interrupter_.must_stop();
      if (!slow || !leader_->confirms(channel_->address(), interrupter_)) lose(error.what(), true);
    }
  }
}

std::vector<wire::Rows> Link::query(std::string_view request) {
  send(request);
  return receive_rows();
}

std::vector<wire::Rows> Link::receive_rows() {
  return guard([&] {
    std::vector<wire::Rows> parts;
    do parts.push_back(receive<wire::Rows>());
    while (wire::RowReader(parts.back().body).more());
    return parts;
  });
}

}  // namespace statehouse::detail
