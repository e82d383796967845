#include "cluster/asked_ahead.hpp"

#include <utility>

#include "cluster/server_code.hpp"

namespace statehouse::detail {

bool AskedAhead::add(std::string request) {
  if (bytes_ + request.size() > most_bytes) return false;
  bytes_ += request.size();
  queries_.push_back({std::move(request)});
  return true;
}

void AskedAhead::exchange(Link& link, const Clock& clock) {
  std::string requests;
  requests.reserve(bytes_);
  for (const Query& query : queries_) requests += query.request;
  auto before = clock.now();
  link.send_several(requests);
  bool final = true;
  for (Query& query : queries_) {
    Answer answer;
    try {
      answer.rows = link.receive_rows();
    } catch (const Refusal& refusal) {
      final = final && judge(refusal) == server_verdict::statement;
      answer.refusal = refusal;
    }
    const auto now = clock.now();
    answer.took = now - std::exchange(before, now);
    if (!final) continue;  // what is left on the link is to be taken all the same
    query.answer = std::move(answer);
    ++answered_;
  }
}

std::optional<AskedAhead::Answer> AskedAhead::take(std::string_view request) {
  for (Query& query : queries_)
    if (query.answer && query.request == request) return std::exchange(query.answer, std::nullopt);
  return std::nullopt;
}

void AskedAhead::forget() noexcept {
  queries_.clear();
  bytes_ = answered_ = 0;
}

}  // namespace statehouse::detail
