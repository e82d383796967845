#include "document_events.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <string_view>
#include <utility>
#include <variant>

#include "json_replies.hpp"

namespace statehouse::server {

namespace {

constexpr std::chrono::seconds between_beats{15};
constexpr const char* beat = ":\n\n";

/// A line of its own for each of the text: what was stored may have line ends between its values.
std::string data_of(std::string_view text) {
  std::string lines = "data: ";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\r' || text[i] == '\n') {
      lines += "\ndata: ";
    } else {
      lines += text[i];
    }
  }
  return lines += "\n\n";
}

}  // namespace

DocumentEvents::DocumentEvents(const asio::any_io_executor& executor, ContextRepository contexts, std::string document,
                               Changes changes)
    : contexts_(std::move(contexts)),
      document_(std::move(document)),
      changes_(std::move(changes)),
      beat_(executor, between_beats) {}

void DocumentEvents::stop() {
  stopped_ = true;
  beat_.cancel();
}

asio::awaitable<std::string> DocumentEvents::next() {
  std::string text;
  try {
    while (text.empty()) {
      bool more = true;
      if (std::exchange(begun_, true)) more = co_await wait();
      if (!more) co_return std::string();
      text = co_await event();
    }
  } catch (const std::exception& error) {
    spdlog::warn("the events of a document end: {}", error.what());
    text.clear();
  }
  co_return text;
}

/// For a change of the table or for the next beat; false when it is over.
asio::awaitable<bool> DocumentEvents::wait() {
  using namespace asio::experimental::awaitable_operators;
  if (stopped_) co_return false;
  const auto first = co_await (changes_.next() || beat_.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (stopped_) co_return false;
  const auto* const change = std::get_if<0>(&first);
  co_return change == nullptr || change->has_value();
}

/// The document if it is not what was sent last, else a beat if it is time for one, else nothing. It is read at each
/// beat, too: a change that came at the same moment was not heard.
asio::awaitable<std::string> DocumentEvents::event() {
  const BlockKey start{document_, {}};
  const BlockPage page = co_await contexts_.list(start);
  std::string now = document_reply(document_, page).body;
  const bool due = beat_.expiry() <= std::chrono::steady_clock::now();
  const bool same = now == sent_;
  if (same && !due) co_return std::string();
  beat_.expires_after(between_beats);
  if (same) co_return beat;
  sent_ = std::move(now);
  co_return data_of(sent_);
}

}  // namespace statehouse::server
